"""How wide the output may be, and which characters it can show."""

import os
import re
import sys

from rich.console import Console
from rich.text import Text

from ftdist.text.terminal import text_console

_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

FALLBACK_WIDTH = 80
"""Of a single frame in a file or a pipe."""


def table_width() -> int | None:
    """Cells per line of stdout; None for a file or a pipe: nothing is cut there."""
    if not sys.stdout.isatty() and "COLUMNS" not in os.environ:
        return None
    return text_console().width


def has_unicode(console: Console) -> bool:
    """Whether a console shows braille: UTF-8, and neither Linux' own console nor a dumb one."""
    return not console.options.ascii_only and os.environ.get("TERM") not in ("linux", "dumb")


def printable(line: Text, console: Console) -> Text:
    """A line with only such characters as the output can encode and show; others become "?".

    What controls a terminal is one of these: names and causes may come from somebody else's run.
    """
    if (shown := _CONTROLS.sub("?", line.plain)) != line.plain:
        line = line.copy()
        line.plain = shown
    if not console.options.ascii_only:
        return line
    plain = line.plain.replace("…", ".").encode(console.encoding, errors="replace")
    encoded = line.copy()
    encoded.plain = plain.decode(console.encoding)
    return encoded
