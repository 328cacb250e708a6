"""What happened in training, for the run's record."""

from contextlib import suppress
from typing import Any

from ftdist.rundir import RunDir


def tell(run: RunDir, event: str, **fields: Any) -> None:
    """Add an event; a disk that is full for a moment is no reason to lose the run."""
    with suppress(OSError):
        run.append_event(event, **fields)
