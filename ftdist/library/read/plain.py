"""Plain text: its encoding, its paragraphs, and headings that are underlined."""

import re
from pathlib import Path

from charset_normalizer import from_bytes

from ftdist.library.read import bytes_of, readable
from ftdist.library.rows import BadRow, Block, Document, Place

_UNDERLINED = re.compile(r"^(?P<text>\S.*)\n(?P<line>=+|-+|~+|\^+|\*+)[ \t]*$", re.MULTILINE)
_BULLET = re.compile(r"^\s*(?:[-*+\u2022\u25cf\u25aa]|\(?\d{1,3}[.)])\s+")


def read_plain(path: Path, *, name: str) -> Document | BadRow:
    """A text file as paragraphs, items and headings."""
    text, note = decoded(bytes_of(path))
    if not text.strip():
        return BadRow("holds no text", Place(name), "Leave it out.")
    blocks = [block for chunk in re.split(r"\n[ \t]*\n", text) for block in _blocks(chunk)]
    headings = [block.text for block in blocks if block.kind == "heading"]
    return Document(
        title=headings[0] if headings else readable(path.stem),
        blocks=tuple(blocks),
        place=Place(name),
        notes=(note,) if note else (),
    )


def decoded(data: bytes) -> tuple[str, str]:
    """Bytes as text, and a note where they are not UTF-8."""
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n"), ""
    except UnicodeDecodeError:
        best = from_bytes(data).best()
    if best is None:
        return data.decode("latin-1"), "is not UTF-8; read as latin-1"
    text = str(best).replace("\r\n", "\n").replace("\r", "\n")
    return text, f"is not UTF-8; read as {best.encoding}"


def _blocks(chunk: str) -> list[Block]:
    """Blocks of a chunk of lines without an empty one between them."""
    found: list[Block] = []
    while match := _UNDERLINED.search(chunk):
        if abs(len(match["text"]) - len(match["line"])) > 3 or len(match["line"]) < 3:
            break
        found += _lines(chunk[: match.start()])
        level = 1 if match["line"][0] == "=" else 2
        found.append(Block(kind="heading", text=match["text"].strip(), level=level))
        chunk = chunk[match.end() :]
    return found + _lines(chunk)


def _lines(chunk: str) -> list[Block]:
    lines = [line for line in chunk.split("\n") if line.strip()]
    if not lines:
        return []
    if not any(_BULLET.match(line) for line in lines):
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
