"""Plain text files: split into paragraphs, items and underlined headings."""

import re
from pathlib import Path

from ftdist.library.readers import read_bytes, title_from_stem
from ftdist.library.readers.encoding import decode
from ftdist.library.schema import BadRow, Block, Document, Location

_UNDERLINED = re.compile(r"^(?P<text>\S.*)\n(?P<line>=+|-+|~+|\^+|\*+)[ \t]*$", re.MULTILINE)
_BULLET = re.compile(r"^\s*(?:[-*+\u2022\u25cf\u25aa]|\(?\d{1,3}[.)])\s+")


def read_text(path: Path, *, name: str, encoding: str | None = None) -> Document | BadRow:
    """Read a text file as paragraphs, items and headings."""
    text, notes = decode(read_bytes(path), encoding=encoding)
    if not text.strip():
        return BadRow("contains no text", Location(name), "Remove it.")
    blocks = [block for chunk in re.split(r"\n[ \t]*\n", text) for block in _blocks(chunk)]
    headings = [block.text for block in blocks if block.kind == "heading"]
    return Document(
        title=headings[0] if headings else title_from_stem(path.stem),
        blocks=tuple(blocks),
        location=Location(name),
        notes=notes,
    )


def _blocks(chunk: str) -> list[Block]:
    """Blocks of consecutive non-empty lines."""
    blocks: list[Block] = []
    while match := _UNDERLINED.search(chunk):
        if abs(len(match["text"]) - len(match["line"])) > 3 or len(match["line"]) < 3:
            break
        blocks += _lines(chunk[: match.start()])
        level = 1 if match["line"][0] == "=" else 2
        blocks.append(Block(kind="heading", text=match["text"].strip(), level=level))
        chunk = chunk[match.end() :]
    return blocks + _lines(chunk)


def _lines(chunk: str) -> list[Block]:
    lines = [line for line in chunk.split("\n") if line.strip()]
    if lines and not any(_BULLET.match(line) for line in lines):
        return [Block(kind="paragraph", text=" ".join(" ".join(lines).split()))]
    blocks: list[Block] = []
    for line in lines:
        text = " ".join(line.split())
        if _BULLET.match(line):
            blocks.append(Block(kind="item", text=_BULLET.sub("", line).strip(), level=1))
        elif blocks:
            last = blocks[-1]
            blocks[-1] = Block(kind=last.kind, text=f"{last.text} {text}", level=last.level)
        else:
            blocks.append(Block(kind="paragraph", text=text))
    return blocks
