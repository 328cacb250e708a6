"""Counts the lines of ftdist's own code that a call runs, and the files that it opens."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

_ROOT = Path(__file__).parents[2]
_OWN = tuple(f"{_ROOT}/{folder}/" for folder in ("ftdist", "launch"))

_opened: list[str] | None = None


@dataclass(frozen=True)
class Counted:
    """What one call did."""

    lines: int
    """Executed lines of ftdist's own code in this thread, each time that they ran: loops show."""

    opened: list[str]
    """Files that were opened, in order, by Python code and by extensions that report it."""


def count(call: Callable[[], Any]) -> Counted:
    """Run `call` and count."""
    global _opened
    lines = 0

    def on_line(_: FrameType, event: str, __: Any) -> Any:
        nonlocal lines
        lines += event == "line"
        return on_line

    def on_call(frame: FrameType, _: str, __: Any) -> Any:
        return on_line if frame.f_code.co_filename.startswith(_OWN) else None

    before = sys.gettrace()
    opened = _opened = []
    sys.settrace(on_call)
    try:
        call()
    finally:
        sys.settrace(before)
        _opened = None
    return Counted(lines=lines, opened=opened)


def _on_event(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and _opened is not None and isinstance(arguments[0], str | bytes | Path):
        _opened.append(str(arguments[0]))


sys.addaudithook(_on_event)  # cannot be removed: it does nothing while nobody counts
