"""Requeue the job of this batch script."""

import signal
import sys
import time
from contextlib import suppress

from ftdist.rundir import RunDir
from ftdist_launch.slurm.client import Queue, SlurmError
from ftdist_launch.slurm.sbatch import job_label

REQUEUED_S = 60.0
"""How long a requeued job waits for SLURM to end it."""

REQUEUE_RETRIES_S = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)
"""Pauses between attempts to requeue a job: 2 minutes, if the time limit allows them."""


def requeue(run: RunDir) -> bool:
    """Requeue this job; record a refusal that lasts.

    Returns:
        Whether SLURM is about to end this process. Not if it had requeued the job before.
    """
    queue, job = Queue(), job_label()
    for wait_s in (*REQUEUE_RETRIES_S, None):
        try:
            queue.requeue(job)
            return True
        except SlurmError as error:
            with suppress(SlurmError):
                state = queue.states([job]).get(job)
                if state is not None and state.state != "RUNNING":
                    return False  # it was already requeued, which is why its ranks were stopped
            sys.stderr.write(f"{error}\n")
            if wait_s is not None:
                time.sleep(wait_s)
                continue
            sys.stderr.write(f"Resume the run with `ftdist resume {run.name}`.\n")
            run.record_event("requeue_failed", cause=error.problem)
    return False


def wait_for_slurm() -> None:
    """Wait for SLURM to end this process: its job was requeued."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # from now on it is for this process
    time.sleep(REQUEUED_S)
