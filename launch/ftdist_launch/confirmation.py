"""What counts only once it was seen for a minute: shared file systems show records late."""

import time
from collections.abc import Callable

from ftdist_launch.status import RunStatus

CONFIRM_S = 60.0


class Confirmation:
    """Remembers since when something has been seen, over many looks.

    Args:
        clock: seconds since any fixed time.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since: dict[str, float] = {}

    def confirms(self, name: str, *, is_seen: bool) -> bool:
        """Whether it was seen at every look for more than a minute."""
        if not is_seen:
            self._since.pop(name, None)
            return False
        return self._clock() - self._since.setdefault(name, self._clock()) > CONFIRM_S

    def is_over(self, status: RunStatus) -> bool:
        """Whether a run is over; a run that was never started, or is lost, once confirmed."""
        is_seen = status.state in ("new", "lost")
        is_confirmed = self.confirms(status.path, is_seen=is_seen)
        return is_confirmed if is_seen else status.is_over
