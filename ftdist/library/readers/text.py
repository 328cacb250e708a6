"""Plain text: its encoding, its paragraphs, and headings that are underlined."""

import re
from pathlib import Path

from charset_normalizer import from_bytes

from ftdist.library.readers import read_bytes, title_from_stem
from ftdist.library.schema import BadRow, BadRowError, Block, Document, Place

_UNDERLINED = re.compile(r"^(?P<text>\S.*)\n(?P<line>=+|-+|~+|\^+|\*+)[ \t]*$", re.MULTILINE)
_BULLET = re.compile(r"^\s*(?:[-*+\u2022\u25cf\u25aa]|\(?\d{1,3}[.)])\s+")


def read_plain(path: Path, *, name: str) -> Document | BadRow:
    """A text file as paragraphs, items and headings."""
    text, note = decode_text(read_bytes(path))
    if not text.strip():
        return BadRow("holds no text", Place(name), "Leave it out.")
    blocks = [block for chunk in re.split(r"\n[ \t]*\n", text) for block in _blocks(chunk)]
    headings = [block.text for block in blocks if block.kind == "heading"]
    return Document(
        title=headings[0] if headings else title_from_stem(path.stem),
        blocks=tuple(blocks),
        place=Place(name),
        notes=(note,) if note else (),
    )


def decode_text(data: bytes) -> tuple[str, str]:
    """Bytes as text, and a note where they are not UTF-8.

    Raises:
        BadRowError: they are of no encoding, or of two.
    """
    note = ""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        refuse_mixed(data)
        best = from_bytes(data).best()
        encoding = "latin-1" if best is None else best.encoding
        text = data.decode("latin-1") if best is None else str(best)
        note = f"is not UTF-8; read as {encoding}"
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise BadRowError(f"holds NUL bytes (line {line})", "Leave it out, or save it as text.")
    return text.replace("\r\n", "\n").replace("\r", "\n"), note


def refuse_mixed(data: bytes) -> None:
    """Refuse UTF-8 in which other bytes stand: read in one encoding, half of it would be wrong.

    Raises:
        BadRowError: there are at least as many characters of UTF-8 as other bytes.
    """
    text = data.decode("utf-8-sig", "surrogateescape")
    wrong = _NOT_UTF8.findall(text)
    if wrong and len(_BEYOND_ASCII.findall(text)) >= 2 * len(wrong):
        line = text.count("\n", 0, text.index(wrong[0])) + 1
        raise BadRowError(
            f"is UTF-8 with bytes of another encoding (line {line})", "Save it as UTF-8."
        )


_NOT_UTF8 = re.compile("[\udc80-\udcff]")
_BEYOND_ASCII = re.compile("[^\x00-\x7f]")


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
