"""Text made safe to print on a terminal."""

import unicodedata
from typing import Any

from rich.console import Console

_CONTROLS = ("Cc", "Cs")  # surrogates among them: they cannot be printed
_BIDI = frozenset(map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A))))


def plain(text: str) -> str:
    """A text without control characters (except newline and tab) and bidirectional marks.

    Text of a library or a model must not be able to control the terminal.
    """
    if text.isprintable() and text.isascii():
        return text
    return "".join(
        c
        for c in text
        if c in "\n\t" or (unicodedata.category(c) not in _CONTROLS and c not in _BIDI)
    )


def text_console(**options: Any) -> Console:
    """A console that prints text as it stands: `[b]` is no markup, `:smile:` no emoji.

    Args:
        **options: of `rich.console.Console`.
    """
    return Console(markup=False, emoji=False, **options)
