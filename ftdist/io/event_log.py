"""Events in a file, one JSON object per line, and what becomes of them on a full disk."""

import threading
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Any

from ftdist.io.jsonl import append_json_line

MAX_PENDING = 1000
"""Events that wait for a full disk to take them: the newest."""

_PENDING: dict[Path, deque[dict[str, Any]]] = {}
"""Events that the disk has refused, by their file."""

_PENDING_LOCK = threading.Lock()


def append_event(log: Path, kind: str, /, **fields: Any) -> None:
    """Add one event to a file; safe while other processes add theirs.

    Args:
        log: the file.
        kind: of the event.
        **fields: of the event, beside its time.
    """
    append_json_line(log, _event(kind, fields))


def record_event(log: Path, kind: str, /, **fields: Any) -> bool:
    """As `append_event`, but without an error if the disk refuses the event.

    The event is kept, and written by a later call of this process once the disk takes it.

    Returns:
        Whether it was written.
    """
    with _PENDING_LOCK:
        pending = _PENDING.setdefault(log, deque(maxlen=MAX_PENDING))
        pending.append(_event(kind, fields))
        with suppress(OSError):
            while pending:
                append_json_line(log, pending[0], deadline_s=0.0)
                pending.popleft()
        return not pending


def _event(kind: str, fields: dict[str, Any]) -> dict[str, Any]:
    return {"time": time.time(), "event": kind, **fields}
