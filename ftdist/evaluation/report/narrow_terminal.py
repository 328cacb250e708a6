"""Rows of a table one under the other, for windows that its columns do not fit. Loads no torch."""

from collections.abc import Iterable, Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

INDENT = 2


def print_blocks(
    console: Console, blocks: Iterable[tuple[Text, Sequence[Text]]], *, width: int
) -> None:
    """Print each block's title, its lines below it, and an empty line; all of it is shown whole.

    Args:
        console: where to print.
        blocks: their titles and lines.
        width: in columns; what is longer goes on in the next line, never cut.
    """
    console.print()
    for title, lines in blocks:
        console.print(title, width=width, overflow="fold")
        for line in lines:
            line.overflow = "fold"
            console.print(Padding(line, (0, 0, 0, INDENT)), width=width)
        console.print()


def from_to(base: str, tuned: str, *, width: int) -> list[Text]:
    """What became of a value, in one line if it fits; "-" is a base that has none."""
    if base == "-":
        return [Text(f"tuned {tuned}")]
    whole = f"{base} -> {tuned}"
    parts = [whole] if cell_len(whole) <= width - INDENT else [base, f"-> {tuned}"]
    return [Text(part) for part in parts]
