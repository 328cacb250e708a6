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
    causes = [_CAUSES[state] for state in _states(job) if state in _CAUSES]
    return causes[-1] if causes else None


def was_cancelled_by_hand(job: str) -> bool:
    """Whether a person ended the newest start of a job with `scancel`, as far as SLURM says."""
    return _states(job)[-1:] == ["CANCELLED"]


def _states(job: str) -> list[str]:
    """How SLURM says that the starts of a job ended, oldest first; empty if it does not say."""
    with suppress(SlurmError):
        return Queue().accounting([job]).get(job, [])
    return []
