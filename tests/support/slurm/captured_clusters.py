"""SLURM's answers on different clusters, as texts of its commands in `captured/`.

`slurmlab` is the cluster of our own tests; the others have the form of real answers, with invented
names: `gpus` (A100 and H100, a partition that others preempt), `cpus` (old, whole nodes), `odd`
(no accounting, a federation, GPUs without types).
"""

from collections.abc import Sequence
from pathlib import Path

from ftdist_launch.doctor.commands import MISSING, TIMEOUT_S, Output
from ftdist_launch.doctor.slurm_facts import ClusterFacts, read_cluster

FOLDER = Path(__file__).parent / "captured"

FILES = {
    "scontrol show config": "config",
    "scontrol show partition": "partitions",
    "scontrol show federation": "federation",
    "sacctmgr show associations": "associations",
    "sacctmgr show user": "account",
    "sacctmgr show qos": "qos",
    "sinfo": "sinfo",
}


class CapturedCluster:
    """Answers SLURM's commands from the texts of one cluster; those without a text are missing."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, args: Sequence[str], *, timeout_s: float = TIMEOUT_S) -> Output:
        assert timeout_s > 0
        words = [arg for arg in args if not arg.startswith("-")]
        command = " ".join(words[:3]) if words[0] != "sinfo" else "sinfo"
        path = FOLDER / self.name / f"{FILES[command]}.txt"
        if not path.exists():
            return Output(code=MISSING)
        return Output(code=0, out=path.read_text(encoding="utf-8"))


def captured(name: str) -> ClusterFacts:
    """What ftdist reads of a captured cluster."""
    return read_cluster(CapturedCluster(name), user="alice")


def install(name: str, folder: Path) -> None:
    """Put commands into a folder that print a captured cluster's answers; `sbatch` rejects jobs."""
    for command, file in FILES.items():
        path = FOLDER / name / f"{file}.txt"
        script = folder / command.split()[0]
        lines = [script.read_text(encoding="utf-8")] if script.exists() else ["#!/bin/sh\n"]
        pattern = "*" if command == "sinfo" else f'*"{command.partition(" ")[2]}"*'
        lines.append(f'case "$*" in {pattern}) exec cat {path} ;; esac\n')
        script.write_text("".join(lines), encoding="utf-8")
        script.chmod(0o755)
    sbatch = folder / "sbatch"
    sbatch.write_text(
        "#!/bin/sh\n"
        "echo 'sbatch: error: Batch job submission failed: Invalid qos specification' >&2\n"
        "exit 1\n",
        encoding="utf-8",
    )
    sbatch.chmod(0o755)
