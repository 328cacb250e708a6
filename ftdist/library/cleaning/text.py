"""Fix mojibake, normalise Unicode, strip control characters and trailing whitespace.

What separates words to a reader still separates them afterwards.
"""

import re
import unicodedata
from dataclasses import replace

import ftfy

from ftdist.data.messages import INSTRUCTIONS, Message
from ftdist.library.chat_text import map_texts
from ftdist.library.schema import BadRow, Block, Conversation, Document, Passage, Row

_ESCAPES = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # window titles and links of terminals
    r"|\x1b\[[0-?]*[ -/]*[@-~]"  # colours and cursor movements
    r"|\x1b[()*+#%][0-~]|\x1b[=>78]"
)
_LINE_ENDS = re.compile("\r\n|[\r\v\f\x1c-\x1e\u2028\u2029]")
_C1 = re.compile("[\x80-\x9f]")
_NEXT_LINE = "\x85"
_CONTROL = re.compile("[\x00-\x08\x0e-\x1b\x1f\x7f-\x9f]+")
_INVISIBLE = re.compile("[\u00ad\u2060\ufeff\ufffe\uffff\ud800-\udfff\u202d\u202e]")
_BLANKS = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f]")

_JOINING = "\u0590-\u08ff\u0900-\u109f\u1780-\u18af\ufb50-\ufdff\ufe70-\ufefc"
"""Scripts of Asia and Africa in which invisible characters decide which form letters take."""

_EMOJI = "\u203c-\u3299\ufe0f\U0001f000-\U0001faff"
_JOINERS = re.compile(
    f"(?<![{_JOINING}])(?<![{_EMOJI}])[\u200b-\u200d]"  # after anything else
    f"|(?<=[{_EMOJI}])(?:[\u200b\u200c]|\u200d(?![{_EMOJI}]))"
)
"""Zero-width blanks, joiners and non-joiners that have no effect."""

_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
_DIRECTIONS = re.compile("[\u061c\u200e\u200f\u202a-\u202c\u2066-\u2069]")
_LIGATURES = str.maketrans(
    {"\ufb00": "ff", "\ufb01": "fi", "\ufb02": "fl", "\ufb03": "ffi", "\ufb04": "ffl",
     "\ufb05": "st", "\ufb06": "st"}
)  # fmt: skip
_MOJIBAKE = re.compile("[\u00c2\u00c3\u00e2\u00ef\u0080-\u009f\ufffd]")
"""Characters of wrongly decoded text: only then is ftfy tried."""

_TRAILING_SPACE = re.compile(r"[ \t]+(?=\n|\Z)")
_EMPTY_LINES = re.compile(r"\n{3,}")
_FTFY = ftfy.TextFixerConfig(
    unescape_html=False,
    uncurl_quotes=False,
    fix_latin_ligatures=False,
    fix_character_width=False,
    normalization="NFC",
)


def clean_text(text: str) -> str:
    """A text with mojibake fixed, in composed Unicode (NFC).

    Everything that ends a line becomes a line feed, ligatures become letters, and kinds of blanks
    become blanks. Escape sequences of terminals, control and invisible characters without effect,
    lone surrogates, trailing whitespace and all but one of consecutive empty lines are removed;
    words that only they separate get a blank.
    """
    if "\x1b" in text:
        text = _ESCAPES.sub(_between_words, text)
    if set(_C1.findall(text)) == {_NEXT_LINE}:  # among others it is an ellipsis of Windows
        text = text.replace(_NEXT_LINE, "\n")
    text = _LINE_ENDS.sub("\n", text)
    if not text.isascii():
        text = ftfy.fix_text(text, _FTFY) if _MOJIBAKE.search(text) else text
        text = unicodedata.normalize("NFC", _BLANKS.sub(" ", text).translate(_LIGATURES))
        text = _JOINERS.sub("", _INVISIBLE.sub("", text))
        if not _RIGHT_TO_LEFT.search(text):
            text = _DIRECTIONS.sub("", text)
    text = _CONTROL.sub(_between_words, text)
    return _EMPTY_LINES.sub("\n\n", _TRAILING_SPACE.sub("", text))


def _between_words(match: re.Match[str]) -> str:
    """A blank where a match separates two words, otherwise nothing."""
    text, first, end = match.string, match.start(), match.end()
    return (
        " "
        if first and end < len(text) and _in_word(text[first - 1]) and _in_word(text[end])
        else ""
    )


def _in_word(character: str) -> bool:
    return unicodedata.category(character)[0] in "LMN"


def clean_row(row: Row) -> Row | BadRow:
    """A row with its texts cleaned; a bad row if nothing is left of it."""
    match row:
        case Conversation():
            cleaned_row = map_texts(row, clean_text)
            for number, message in enumerate(cleaned_row.messages, start=1):
                if not message["content"].strip() and not _may_be_empty(message):
                    return BadRow(f"has no text in message {number}", row.location, _REMEDY)
            return cleaned_row
        case Passage():
            text = clean_text(row.text).strip("\n")
            return replace(row, text=text) if text.strip() else _empty(row)
        case Document():
            blocks = tuple(filter(_has_text, map(_clean_block, row.blocks)))
            cleaned = replace(row, blocks=blocks, title=" ".join(clean_text(row.title).split()))
            return cleaned if blocks else _empty(row)
    return row


def _may_be_empty(message: Message) -> bool:
    return message["role"] in (*INSTRUCTIONS, "tool") or "tool_calls" in message


_REMEDY = "Correct it, or leave it out."


def _empty(row: Passage | Document) -> BadRow:
    return BadRow("contains no text", row.location, _REMEDY)


def _clean_block(block: Block) -> Block:
    rows = tuple(tuple(clean_text(cell).strip() for cell in cells) for cells in block.rows)
    text = clean_text(block.text)
    if block.kind in ("heading", "term"):
        text = " ".join(text.split())
    return replace(block, text=text if block.kind == "code" else text.strip(), rows=rows)


def _has_text(block: Block) -> bool:
    return bool(block.text.strip()) or any(any(cells) for cells in block.rows)
