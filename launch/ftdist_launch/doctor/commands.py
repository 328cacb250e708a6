"""Run a system command with a time limit; a missing or hanging command is a result as well."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ftdist_launch.local.submit import outside_any_job

TIMEOUT_S = 20.0
"""Limit for one command: a busy controller answers within a few seconds."""

MISSING, TIMED_OUT = 127, 124
"""Exit codes of a command that is not installed, and of one that exceeded its limit."""


@dataclass(frozen=True, kw_only=True)
class Output:
    """What a command printed."""

    code: int
    out: str = ""
    err: str = ""

    @property
    def is_missing(self) -> bool:
        """Whether the command is not installed."""
        return self.code == MISSING

    @property
    def reason(self) -> str:
        """Why it failed, in one line."""
        if self.code == MISSING:
            return "it is not installed"
        if self.code == TIMED_OUT:
            return "it timed out"
        lines = [line.strip() for line in (self.err or self.out).splitlines() if line.strip()]
        return (lines[-1] if lines else f"exit code {self.code}")[:200]


class Runner(Protocol):
    """Runs a command: `run_command`, or captured texts in tests."""

    def __call__(self, args: Sequence[str], *, timeout_s: float = TIMEOUT_S) -> Output:
        """The output of one command."""


def run_command(args: Sequence[str], *, timeout_s: float = TIMEOUT_S) -> Output:
    """Run a command outside any SLURM job that surrounds this process."""
    try:
        done = subprocess.run(
            args,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            env=outside_any_job() | {"LC_ALL": "C"},
            check=False,
        )
    except (FileNotFoundError, PermissionError):
        return Output(code=MISSING)
    except subprocess.TimeoutExpired:
        return Output(code=TIMED_OUT)
    return Output(code=done.returncode, out=done.stdout, err=done.stderr)
