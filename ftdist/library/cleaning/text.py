"""Text as it was meant: mended encoding, no control characters, no blanks where nothing is."""

import re
import unicodedata
from dataclasses import replace

import ftfy

from ftdist.data.messages import Message
from ftdist.library.schema import BadRow, Block, Conversation, Document, Passage, Row

_CONTROL = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060\ufeff\ufffe\uffff\ud800-\udfff]"
)
_SUSPECT = re.compile("[\u00c2\u00c3\u00e2\u00ef\u0080-\u009f\ufffd]")
"""What text that was decoded wrongly holds: only then is mending tried."""

_LINE_END_BLANKS = re.compile(r"[ \t]+(?=\n|\Z)")
_EMPTY_LINES = re.compile(r"\n{3,}")
_MEND = ftfy.TextFixerConfig(
    unescape_html=False,
    uncurl_quotes=False,
    fix_latin_ligatures=True,
    fix_character_width=False,
    normalization="NFC",
)


def clean_text(text: str) -> str:
    """A text with its encoding mended, in composed Unicode (NFC).

    Line ends become line feeds; control and invisible characters, blanks at line ends, half
    characters (lone surrogates) and more than one empty line in a row go.
    """
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.isascii():
        text = ftfy.fix_text(text, _MEND) if _SUSPECT.search(text) else text
        text = unicodedata.normalize("NFC", text.replace("\u00a0", " "))
    text = _CONTROL.sub("", text)
    return _EMPTY_LINES.sub("\n\n", _LINE_END_BLANKS.sub("", text))


def clean_row(row: Row) -> Row | BadRow:
    """A row of clean texts; a bad row where nothing is left of it."""
    match row:
        case Conversation():
            messages = tuple(
                Message(role=said["role"], content=clean_text(said["content"]))
                for said in row.messages
            )
            empty = [at for at, said in enumerate(messages, 1) if not said["content"].strip()]
            if empty and messages[empty[0] - 1]["role"] != "system":
                return BadRow(f"has nothing in message {empty[0]}", row.place, _REMEDY)
            return replace(row, messages=messages)
        case Passage():
            text = clean_text(row.text).strip("\n")
            return replace(row, text=text) if text.strip() else _empty(row)
        case Document():
            blocks = tuple(filter(_has_text, map(_clean_block, row.blocks)))
            cleaned = replace(row, blocks=blocks, title=" ".join(clean_text(row.title).split()))
            return cleaned if blocks else _empty(row)
    return row


_REMEDY = "Correct it, or leave it out."


def _empty(row: Passage | Document) -> BadRow:
    return BadRow("holds no text", row.place, _REMEDY)


def _clean_block(block: Block) -> Block:
    rows = tuple(tuple(clean_text(cell).strip() for cell in cells) for cells in block.rows)
    text = clean_text(block.text)
    return replace(block, text=text if block.kind == "code" else text.strip(), rows=rows)


def _has_text(block: Block) -> bool:
    return bool(block.text.strip()) or any(any(cells) for cells in block.rows)
