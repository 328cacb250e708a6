"""Jupyter notebooks: text and code of the cells, and what the code printed."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ftdist.library.readers import read_bytes, title_from_stem
from ftdist.library.readers.plain.markdown import parse_markdown
from ftdist.library.schema import BadRow, BadRowError, Block, Document, Location, Note

_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_SAVE_AGAIN = "Open it in Jupyter, and save it again."


def read_notebook(path: Path, *, name: str) -> Document | BadRow:
    """Read a notebook, without pictures and other outputs that are no text.

    Raises:
        BadRowError: it is damaged.
    """
    try:
        notebook = json.loads(read_bytes(path))
        cells = [(str(cell["cell_type"]), cell) for cell in _cells(notebook)]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BadRowError(f"is not a valid notebook ({error})", _SAVE_AGAIN) from error
    left_out = Counter[str]()
    notes: list[Note] = []
    blocks: list[Block] = []
    for kind, cell in cells:
        source = _text(cell.get("source", cell.get("input", "")))
        if kind in ("markdown", "heading"):
            page = parse_markdown(source, name=name, stem=path.stem)
            if isinstance(page, Document):
                blocks += page.blocks
                notes += page.notes
        elif source.strip():
            blocks.append(Block(kind="code", text=source.strip("\n")))
        for output in cell.get("outputs", ()):
            blocks += _output_blocks(output, left_out)
    if not blocks:
        return BadRow("contains no text", Location(name), "Remove it.")
    first = next((block.text for block in blocks if block.kind == "heading"), "")
    return Document(
        title=first or title_from_stem(path.stem),
        blocks=tuple(blocks),
        location=Location(name),
        notes=(*notes, *(Note(rule, count=count) for rule, count in left_out.items())),
    )


def _cells(notebook: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """All cells; old notebooks have them in worksheets."""
    for holder in notebook.get("worksheets", [notebook]):
        yield from holder["cells"]


def _output_blocks(output: dict[str, Any], left_out: Counter[str]) -> Iterator[Block]:
    kind = output.get("output_type")
    if kind == "error":
        left_out["error of a cell left out"] += 1
        return
    data = output.get("data", output)
    text = _ANSI.sub("", _text(output.get("text", data.get("text/plain", "")))).strip("\n")
    if any(key.startswith(("image/", "png", "jpeg", "svg")) for key in data):
        left_out["picture left out"] += 1
    elif text.strip():
        yield Block(kind="code", text=text)


def _text(value: Any) -> str:
    """Text that is stored whole or in lines."""
    return "".join(map(str, value)) if isinstance(value, list) else str(value)
