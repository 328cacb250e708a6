"""Requeue the job of this batch script."""

import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Literal

from ftdist.rundir import RunDir
from ftdist_launch.slurm.client import Queue, SlurmError
from ftdist_launch.slurm.sbatch import job_label

REQUEUED_S = 60.0
"""How long a requeued job waits for SLURM to end it."""

REQUEUE_RETRIES_S = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)
"""Pauses between attempts to requeue a job: 2 minutes, if the time limit allows them."""


Answer = Literal["requeued", "requeued before", "cancelled", "failed"]
"""requeued: SLURM is about to end this process; requeued before: so its ranks were stopped;
cancelled: a person wants no other attempt; failed: SLURM refuses, or did not answer for minutes."""


def requeue(run: RunDir, *, was_cancelled: Callable[[RunDir], bool]) -> Answer:
    """Requeue this job; record a refusal that lasts.

    Args:
        run: of the job.
        was_cancelled: whether a person has cancelled it by now; asked before each try.
    """
    queue, job = Queue(), job_label()
    for wait_s in (*REQUEUE_RETRIES_S, None):
        if was_cancelled(run):
            return "cancelled"
        try:
            queue.requeue(job)
            return "requeued"
        except SlurmError as error:
            with suppress(SlurmError):
                state = queue.states([job]).get(job)
                if state is not None and state.state != "RUNNING":
                    return "cancelled" if was_cancelled(run) else "requeued before"
            sys.stderr.write(f"{error}\n")
            if wait_s is not None:
                time.sleep(wait_s)
                continue
            sys.stderr.write(f"Resume the run with `ftdist resume {run.name}`.\n")
            run.record_event("requeue_failed", cause=error.problem)
    return "failed"


def wait_for_slurm() -> None:
    """Wait for SLURM to end this process: its job was requeued."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # from now on it is for this process
    time.sleep(REQUEUED_S)
