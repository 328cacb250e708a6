"""What the functions of this package share: supervisors, and jobs in a queue."""

from collections.abc import Callable
from dataclasses import dataclass

from ftdist_launch.local.supervisor import Supervisor

from ftdist.rundir import RunDir

Supervise = Callable[..., Supervisor]
"""`(run, config, *, steps=None)`: the supervisor of a run, which shows its progress somewhere."""


@dataclass(frozen=True, kw_only=True)
class Submitted:
    """A job that was submitted instead of run here."""

    run: RunDir
    job: str
    after: tuple[str, ...] = ()
    """Jobs that must succeed first."""
