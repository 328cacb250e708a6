"""What W&B has of a run: at its stand-in on this machine, and in wandb's own files."""

import math
import os
import subprocess
import sys
from collections.abc import Mapping
from email.message import Message
from typing import Any

from ftdist.observe.wandb.state import wandb_id
from ftdist.rundir import RunDir
from tests.support.wandb import reader as wandb_reader
from tests.support.wandb.fake_run import Done, as_recorded, raw_rows, without_time
from tests.support.wandb.loopback import Answer, Fault, WandbLoopback

NO_KEY = {"WANDB_MODE": "online", "WANDB_API_KEY": "", "NETRC": "/dev/null"}
FAULTS: dict[str, Fault] = {"500": "500", "429": "429", "401": "401", "hang": "hang"}


class Loopback(WandbLoopback):
    """Keeps all that it was sent, but for the key in its header."""

    def __init__(self) -> None:
        super().__init__()
        self.bodies: list[bytes] = []

    def answer(self, method: str, path: str, headers: Message, body: bytes) -> Answer:
        self.bodies.append(body)
        return super().answer(method, path, headers, body)

    def steps(self, run: RunDir) -> list[int]:
        with self._lock:
            known = wandb_id(run) in self.runs
        return [row["trainer/global_step"] for row in self.history(wandb_id(run))] if known else []

    def meet(self, trouble: str) -> dict[str, str]:
        """Be in trouble from now on; the environment of a process that is to meet it.

        500, 429, 401 and hang are what it answers; gone, no key and WANDB_MODE say what they are;
        any other word is somebody else's to bring about.
        """
        environment = self.environment()
        self.fault = FAULTS.get(trouble)
        if trouble == "gone":
            self.__exit__()
        if trouble == "no key":
            environment |= NO_KEY
        if trouble == "WANDB_MODE":
            environment["WANDB_MODE"] = "offline"
        return environment

    def recover(self) -> None:
        """Answer rightly from now on, and keep all that is sent."""
        self.fault = None
        self.takes_files, self.loses_summaries, self.artifacts.refuses = True, False, False


def offline_rows(run: RunDir) -> list[dict[str, Any]]:
    logs = wandb_reader.find_logs(run.wandb)
    return as_recorded([row for log in logs for row in wandb_reader.history(log)])


def by_attempt(run: RunDir, *, first: int, then: int) -> list[dict[str, Any]]:
    """The record's rows: of attempt 1 up to step `first`, of attempt 2 after step `then`."""
    rows = without_time(raw_rows(run))
    return [row for row in rows if row["attempt"] == 1 and row["step"] <= first] + [
        row for row in rows if row["attempt"] == 2 and row["step"] > then
    ]


def sync(run: RunDir, environment: Mapping[str, str], *flags: str) -> Done:
    """`ftdist sync`, as somebody at a login node types it."""
    done = subprocess.run(
        [sys.executable, "-m", "ftdist", "sync", str(run.root), *flags],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    nan = math.nan
    return Done(
        exit_code=done.returncode, out=done.stdout, err=done.stderr, slowest_log_s=nan, close_s=nan
    )
