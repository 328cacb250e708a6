"""Why SLURM ended a job, from its accounting."""

from contextlib import suppress

from ftdist_launch.slurm.client import Queue, SlurmError

NODE_LOST = "SLURM lost a node of the job and the ranks on it."

_CAUSES = {
    "NODE_FAIL": NODE_LOST,
    "PREEMPTED": "The job was preempted before its ranks had saved.",
    "REQUEUED": "The job was requeued before its ranks had saved.",
    "TIMEOUT": "The job reached its time limit before its ranks had saved.",
    "OUT_OF_MEMORY": "A node of the job ran out of memory.",
}


def slurm_cause(job: str) -> str | None:
    """Why SLURM ended the newest start of a job; None: it does not say."""
    states: list[str] = []
    with suppress(SlurmError):
        states = Queue().accounting([job]).get(job, [])
    causes = [_CAUSES[state] for state in states if state in _CAUSES]
    return causes[-1] if causes else None
