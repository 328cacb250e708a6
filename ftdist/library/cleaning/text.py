"""Fix mojibake, normalise Unicode, strip control characters and trailing whitespace."""

import re
import unicodedata
from dataclasses import replace

import ftfy

from ftdist.data.messages import Message
from ftdist.library.schema import BadRow, Block, Conversation, Document, Passage, Row

_CONTROL = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060\ufeff\ufffe\uffff\ud800-\udfff]"
)
_MOJIBAKE = re.compile("[\u00c2\u00c3\u00e2\u00ef\u0080-\u009f\ufffd]")
"""Characters of wrongly decoded text: only then is ftfy tried."""

_TRAILING_SPACE = re.compile(r"[ \t]+(?=\n|\Z)")
_EMPTY_LINES = re.compile(r"\n{3,}")
_FTFY = ftfy.TextFixerConfig(
    unescape_html=False,
    uncurl_quotes=False,
    fix_latin_ligatures=True,
    fix_character_width=False,
    normalization="NFC",
)


def clean_text(text: str) -> str:
    """A text with mojibake fixed, in composed Unicode (NFC).

    Line ends become line feeds. Control and invisible characters, lone surrogates, trailing
    whitespace and all but one of consecutive empty lines are removed.
    """
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.isascii():
        text = ftfy.fix_text(text, _FTFY) if _MOJIBAKE.search(text) else text
        text = unicodedata.normalize("NFC", text.replace("\u00a0", " "))
    text = _CONTROL.sub("", text)
    return _EMPTY_LINES.sub("\n\n", _TRAILING_SPACE.sub("", text))


def clean_row(row: Row) -> Row | BadRow:
    """A row with its texts cleaned; a bad row if nothing is left of it."""
    match row:
        case Conversation():
            messages = tuple(
                Message(role=message["role"], content=clean_text(message["content"]))
                for message in row.messages
            )
            for number, message in enumerate(messages, start=1):
                if not message["content"].strip() and message["role"] != "system":
                    return BadRow(f"has no text in message {number}", row.location, _REMEDY)
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
    return BadRow("contains no text", row.location, _REMEDY)


def _clean_block(block: Block) -> Block:
    rows = tuple(tuple(clean_text(cell).strip() for cell in cells) for cells in block.rows)
    text = clean_text(block.text)
    return replace(block, text=text if block.kind == "code" else text.strip(), rows=rows)


def _has_text(block: Block) -> bool:
    return bool(block.text.strip()) or any(any(cells) for cells in block.rows)
