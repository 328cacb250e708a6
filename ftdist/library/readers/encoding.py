"""Text encodings: bytes of a file as text."""

import re

from charset_normalizer import from_bytes

from ftdist.library.schema import BadRowError, Note


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
