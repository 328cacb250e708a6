"""Plain text files: detect the encoding, split into paragraphs, items and underlined headings."""

import re
from pathlib import Path

from charset_normalizer import from_bytes

from ftdist.library.readers import read_bytes, title_from_stem
from ftdist.library.schema import BadRow, BadRowError, Block, Document, Location, Note

_UNDERLINED = re.compile(r"^(?P<text>\S.*)\n(?P<line>=+|-+|~+|\^+|\*+)[ \t]*$", re.MULTILINE)
_BULLET = re.compile(r"^\s*(?:[-*+\u2022\u25cf\u25aa]|\(?\d{1,3}[.)])\s+")


def read_text(path: Path, *, name: str) -> Document | BadRow:
    """Read a text file as paragraphs, items and headings."""
    text, notes = decode_text(read_bytes(path))
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


def decode_text(data: bytes) -> tuple[str, tuple[Note, ...]]:
    """Bytes as text, and a note if they are not UTF-8.

    Raises:
        BadRowError: they are not text, or mix two encodings.
    """
    notes: tuple[Note, ...] = ()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        refuse_mixed(data)
        best = from_bytes(data).best()
        encoding = "latin-1" if best is None else best.encoding
        text = data.decode("latin-1") if best is None else str(best)
        notes = (Note(rule="encoding guessed", excerpt=encoding),)
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise BadRowError(f"contains NUL bytes (line {line})", "Remove it, or save it as text.")
    return text.replace("\r\n", "\n").replace("\r", "\n"), notes


def refuse_mixed(data: bytes) -> None:
    """Refuse UTF-8 with bytes of another encoding: any single encoding would garble part of it.

    Raises:
        BadRowError: it has at least as many non-ASCII characters of UTF-8 as invalid bytes.
    """
    text = data.decode("utf-8-sig", "surrogateescape")
    invalid = _INVALID_UTF8.findall(text)
    if invalid and len(_NON_ASCII.findall(text)) >= 2 * len(invalid):
        line = text.count("\n", 0, text.index(invalid[0])) + 1
        raise BadRowError(f"mixes UTF-8 with another encoding (line {line})", "Save it as UTF-8.")


_INVALID_UTF8 = re.compile("[\udc80-\udcff]")
_NON_ASCII = re.compile("[^\x00-\x7f]")


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
