"""A user at the login node of a cluster of tests."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ftdist.rundir import RunDir
from tests.support.slurm.cluster import ROOT, SlurmLab
from tests.support.slurm.commands import PATIENCE, plain_environment


@dataclass(frozen=True, kw_only=True)
class Login:
    """A user at the login node of a cluster, in a folder that its nodes see too."""

    lab: SlurmLab
    folder: Path
    checkout: Path = ROOT
    """Where ftdist is installed from."""

    def __call__(
        self, *arguments: str, code: int | None = 0, timeout_s: float = 120.0
    ) -> "subprocess.CompletedProcess[str]":
        """Give a command of ftdist.

        Args:
            *arguments: what follows `ftdist`.
            code: the exit code that it must end with; None: whichever.
            timeout_s: seconds that it may take.
        """
        __tracebackhide__ = True
        environment = {**plain_environment(), **self.lab.environment, "HOME": str(self.folder)}
        if self.checkout != ROOT:
            environment["PYTHONPATH"] = f"{self.checkout}:{self.checkout / 'launch'}"
        done = subprocess.run(
            [sys.executable, "-m", "ftdist", *arguments],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s * PATIENCE,
            check=False,
        )
        if code is not None and done.returncode != code:
            raise AssertionError(
                f"`ftdist {' '.join(arguments)}` ended with {done.returncode}, not {code}:\n"
                f"{done.stdout}{done.stderr}"
            )
        return done

    def run(self, name: str) -> RunDir:
        """A run that was made here."""
        return RunDir(self.folder / "runs" / name)

    def job(self, name: str, stage: str = "train") -> str:
        """The number of a run's newest job of one stage."""
        events = self.run(name).read_events()
        submitted = [event for event in events if event["event"] == "job_submitted"]
        return str([event["job"] for event in submitted if event["stage"] == stage][-1])

    def wait_for_state(self, job: str, *states: str, timeout_s: float = 120.0) -> str:
        """Wait until a job is in one of `states`; the logs are shown if it does not come so far."""
        return self.lab.wait_for_state(job, states, timeout_s=timeout_s, logs=self.folder)

    def wait_until(self, so: Callable[[], bool], *, what: str, timeout_s: float = 120.0) -> None:
        """Wait until something is so; the logs are shown if it does not come so far."""
        self.lab.wait_until(so, what=what, timeout_s=timeout_s, logs=self.folder)


@contextmanager
def logged_in(lab: SlurmLab, folder: Path, *, checkout: Path = ROOT) -> Iterator[Login]:
    """A user who leaves no job behind."""
    login = Login(lab=lab, folder=folder, checkout=checkout)
    try:
        yield login
    finally:
        lab.end_jobs(folder)


def copy_checkout(folder: Path) -> Path:
    """A copy of the product's code, for a test that changes it."""
    for package in ("ftdist", "launch", "conf"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, folder / package, ignore=ignored)
    return folder
