"""`ftdist watch` as typed: one frame into a pipe, live on a terminal until q or the run's end."""

import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest
from ftdist_launch.lock import run_lock

from ftdist.cli import main as cli
from ftdist.rundir import RunDir
from tests.support.runs.watched_runs import watched_run
from tests.support.slurm.records import attempt_finished

Captured = pytest.CaptureFixture[str]
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunDir:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)
    return watched_run(tmp_path / "runs" / "r")


def test_without_a_terminal_one_frame_of_80_columns_is_printed(
    run: RunDir, capsys: Captured
) -> None:
    with run_lock(run):
        assert cli.main(["watch", "r"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("r  running on n1 (attempt 1)")
    assert max(map(len, lines)) <= 80


def test_all_runs_are_one_table_of_those_that_are_not_over(run: RunDir, capsys: Captured) -> None:
    watched_run(run.root.parent / "old", attempt_finished(1, "done"))
    with run_lock(run):
        assert cli.main(["watch"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("1 run going on")
    assert [line.split()[0] for line in lines[1:4]] == ["run", "r", "5,000"]
    assert cli.main(["watch"]) == 0
    assert capsys.readouterr().out == (
        "All runs under runs are over: `ftdist status` shows them, `ftdist watch R` one.\n"
    )
    assert cli.main(["watch", f"run.root={run.root}"]) == 0
    assert capsys.readouterr().out.startswith("No runs under ")


@pytest.mark.parametrize("value", ["0", "x", "-1"])
def test_a_wrong_interval_is_refused(run: RunDir, value: str, capsys: Captured) -> None:
    assert cli.main(["watch", str(run.root), f"--every={value}"]) == 78
    assert "at least 0.5" in capsys.readouterr().err


class Terminal:
    """`ftdist watch` on a terminal of 80 by 24."""

    def __init__(self, folder: Path) -> None:
        self.master, self.slave = pty.openpty()
        termios.tcsetwinsize(self.slave, (24, 80))
        self.before = termios.tcgetattr(self.slave)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "ftdist", "watch", "r", "--every", "0.5"],
            stdin=self.slave,
            stdout=self.slave,
            stderr=self.slave,
            cwd=folder,
            env={
                **os.environ,
                "TERM": "xterm",
                "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'launch'}",
            },
        )
        self.text = ""

    def wait_for(self, text: str) -> None:
        """Read until some text was printed."""
        deadline = time.monotonic() + 60
        while text not in self.text:
            assert time.monotonic() < deadline, self.text
            if select.select([self.master], [], [], 0.5)[0]:
                self.text += os.read(self.master, 65536).decode(errors="replace")

    def exit_code(self) -> int:
        """Wait for the end; the terminal must be as before."""
        deadline = time.monotonic() + 60
        while self.process.poll() is None:
            assert time.monotonic() < deadline, self.text
            if select.select([self.master], [], [], 0.1)[0]:
                self.text += os.read(self.master, 65536).decode(errors="replace")
        assert termios.tcgetattr(self.slave) == self.before
        os.close(self.slave)
        while select.select([self.master], [], [], 0.1)[0]:
            try:
                self.text += os.read(self.master, 65536).decode(errors="replace")
            except OSError:
                break
        os.close(self.master)
        return self.process.returncode


@pytest.mark.parametrize("how", ["q", "ctrl-c"])
def test_q_and_ctrl_c_leave_and_the_run_continues(run: RunDir, how: str) -> None:
    with run_lock(run):
        terminal = Terminal(run.root.parent.parent)
        terminal.wait_for("q or Ctrl-C leaves; the run continues.")
        assert "\x1b[?1049h" in terminal.text, "the alternate screen"
        os.write(terminal.master, b"q" if how == "q" else b"\x03")
        if how == "ctrl-c":
            terminal.process.send_signal(signal.SIGINT)
        assert terminal.exit_code() == 0
    assert "\x1b[?1049l" in terminal.text
    after = terminal.text.rpartition("\x1b[?1049l")[2]
    assert "Run r: running on n1 (attempt 1)." in after
    assert "It continues. `ftdist watch r` shows it again." in after


def test_it_ends_with_the_run_and_shows_the_next_command(run: RunDir) -> None:
    with run_lock(run):
        terminal = Terminal(run.root.parent.parent)
        terminal.wait_for("q or Ctrl-C leaves; the run continues.")
        fields = {"outcome": "done", "checkpoint": 40, "cause": None}
        run.append_event("attempt_finished", attempt=1, **fields)
        assert terminal.exit_code() == 0
    after = terminal.text.rpartition("\x1b[?1049l")[2]
    assert "Run r: done." in after
    assert "Next: `ftdist export r`, then `ftdist compare r`." in after
