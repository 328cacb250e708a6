"""SLURM's commands as scripts: a queue that a test fills and empties, or that is down."""

import stat
from dataclasses import dataclass
from pathlib import Path

import pytest

SCRIPTS = {
    "sinfo": "echo 'cpu*|up|infinite|4|64|256000|(null)'",
    "sbatch": 'case "$*" in *--test-only*) exit 0 ;; esac\n'
    'number=$(($(cat "$here/number") + 1)); echo $number >"$here/number"\n'
    'echo "$number|PENDING|Priority||N/A" >>"$here/queue"; echo "Submitted batch job $number"',
    "squeue": 'cat "$here/queue"',
    "sacct": "exit 0",
    "scancel": "exit 0",
    "srun": "exit 0",
}


@dataclass(frozen=True)
class FakeSlurm:
    """A cluster that runs nothing; jobs count from 1."""

    folder: Path

    def set_down(self, is_down: bool) -> None:
        """Whether every command fails."""
        (self.folder / "down").unlink(missing_ok=True)
        if is_down:
            (self.folder / "down").touch()

    def empty_queue(self) -> None:
        """All jobs leave the queue."""
        (self.folder / "queue").write_text("")

    def count(self) -> int:
        """How many jobs were submitted."""
        return int((self.folder / "number").read_text())


def install_slurm(folder: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSlurm:
    """Put the commands first on PATH."""
    folder.mkdir()
    down = 'echo "Unable to contact slurm controller" >&2; exit 1'
    for name, body in SCRIPTS.items():
        script = folder / name
        script.write_text(
            f'#!/bin/sh\nhere={folder}\n[ -e "$here/down" ] && {{ {down}; }}\n{body}\n'
        )
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
    (folder / "number").write_text("0\n")
    slurm = FakeSlurm(folder)
    slurm.empty_queue()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return slurm
