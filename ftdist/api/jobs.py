"""What the functions of this package share: supervisors, and jobs in a queue."""

from dataclasses import dataclass
from typing import Protocol

from ftdist_launch.local.supervisor import Supervisor

from ftdist.config.schema import RunConfig
from ftdist.rundir import RunDir


class Supervise(Protocol):
    """Makes the supervisor of a run, which shows its progress somewhere."""

    def __call__(self, run: RunDir, config: RunConfig, *, steps: int | None = None) -> Supervisor:
        """A supervisor of a run with this many steps; None: it has no steps."""
        ...


@dataclass(frozen=True, kw_only=True)
class Submitted:
    """A job that was submitted instead of run here."""

    run: RunDir
    job: str
    after: tuple[str, ...] = ()
    """Jobs that must succeed first."""
