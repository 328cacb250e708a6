"""Refuse to work on a run whose ranks outlived the `ftdist` that started them."""

import socket
import time

from ftdist.errors import ConfigError
from ftdist.io.units import format_count
from ftdist.rundir import RunDir
from ftdist_launch.attempt_end import unrecorded_attempt
from ftdist_launch.local.processes import find_process
from ftdist_launch.rank_records import read_starts

SINGLE_STAGES = ("export", "compare", "merge")
"""Stages of one process, which exits with the `ftdist` that started it: it has nothing to save."""

POLL_S = 0.2

STAGE_TIMEOUT_S = 10.0
"""How long it may take to stop, and may outlive its `ftdist`: native code handles no signal."""


def refuse_leftover_ranks(run: RunDir) -> None:
    """Refuse to work on a run whose ranks outlived the `ftdist` that started them.

    The process of a single stage exits by itself; this waits for it.

    Raises:
        ConfigError: some ranks are still running on this machine.
    """
    for stage in SINGLE_STAGES:
        deadline = time.monotonic() + STAGE_TIMEOUT_S
        while (pids := _leftover(run, stage)) and time.monotonic() < deadline:
            time.sleep(POLL_S)
        if pids:
            raise ConfigError(
                f"Process {pids[0]} of `ftdist {stage}` of run {run.name} is still running, "
                "although the command has ended.",
                remedy=f"kill it with `kill -9 {pids[0]}` (it has nothing to save), then retry.",
            )
    if pids := _leftover(run, "*"):
        raise ConfigError(
            f"{format_count(len(pids), 'rank')} of run {run.name} still running without the ftdist "
            f"that started the run: PID {', '.join(pids)}.",
            remedy="let it finish the run (`ftdist status` shows when), or let it save and exit "
            f"with `ftdist cancel {run.cli_name}` or `kill -USR2 {' '.join(pids)}`, then retry.",
        )


def is_unsupervised(run: RunDir) -> bool:
    """Whether ranks of the newest attempt, started on this machine, outlived their `ftdist`.

    Call it if nobody holds the lock of the run.
    """
    started = unrecorded_attempt(run)
    if started is None or "job" in started:
        return False
    return bool(_leftover(run, str(started["attempt"])))


def leftover_pids(run: RunDir) -> list[int]:
    """Pids of all ranks of a run that are running on this machine."""
    return [int(pid) for pid in _leftover(run, "*")]


def _leftover(run: RunDir, stage: str) -> list[str]:
    """Pids of ranks running on this machine, of one folder of attempts or (*) of all."""
    return [
        str(start["pid"])
        for folder in run.attempts.glob(stage)
        for start in read_starts(folder).values()
        if start["host"] == socket.gethostname()
        and find_process(start["pid"], started=start["started_s"]) is not None
    ]
