"""How wide the output may be, and which characters it can show."""

import os
import sys

from rich.console import Console

FALLBACK_WIDTH = 80
"""Of a single frame in a file or a pipe."""


def table_width() -> int | None:
    """Cells per line of stdout; None for a file or a pipe: nothing is cut there."""
    if not sys.stdout.isatty() and "COLUMNS" not in os.environ:
        return None
    return Console().width


def has_unicode(console: Console) -> bool:
    """Whether a console shows braille: UTF-8, and neither Linux' own console nor a dumb one."""
    return not console.options.ascii_only and os.environ.get("TERM") not in ("linux", "dumb")
