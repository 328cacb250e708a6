"""Split plain text and Markdown into samples at paragraphs, lines, sentences or words."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ftdist.data.chat_encoder import ChatEncoder, Tokens
from ftdist.io.compression import DAMAGED, open_data
from ftdist.library.schema import BadRow, Location, Passage, Row

SUFFIXES = (".txt", ".md", ".markdown")

_BLOCK_CHARACTERS = 200_000
"""A text is tokenised in blocks of about so many characters, to bound memory."""

_PAUSES = (
    re.compile(r"\n[ \t]*\n\s*()"),
    re.compile(r"\n()"),
    re.compile(r"[.!?:;]()\s"),
    re.compile(r"\S()\s"),
)
"""Where to cut, best first: paragraphs, lines, sentences, words. The cut is at the empty group."""


def read_document(path: Path, *, name: str) -> Row:
    """The text of one file."""
    location = Location(name)
    try:
        with open_data(path) as file:
            text = file.read().decode("utf-8-sig")
    except DAMAGED as error:
        return BadRow(f"cannot be decompressed: {error}", location, "Copy or download it again.")
    except UnicodeDecodeError as error:
        return BadRow(f"is not UTF-8 text (byte {error.start + 1})", location)
    return Passage(text, location) if text.strip() else BadRow("holds no text", location)


def cut_text(text: str, *, encoder: ChatEncoder, sequence_length: int) -> Iterator[Tokens]:
    """Samples of at most `sequence_length` tokens that together are the whole text.

    Cuts are at paragraph borders where that leaves no sample shorter than a quarter, else at lines,
    sentences, words. Every sample begins as the tokenizer begins a text; the last ends the text.
    """
    room = sequence_length - len(encoder.begin_ids) - len(encoder.end_ids)
    blocks = list(_blocks(text))
    for number, block in enumerate(blocks, start=1):
        encoded = encoder.text_tokens(block)
        pauses = [
            np.searchsorted(encoded.starts, [match.start(1) for match in pause.finditer(block)])
            if len(encoded.ids) > room
            else np.empty(0, dtype=np.int64)
            for pause in _PAUSES
        ]
        first = 0
        while first < len(encoded.ids):
            end = _cut(first, len(encoded.ids), pauses=pauses, room=room)
            is_end = number == len(blocks) and end == len(encoded.ids)
            tokens = encoder.wrap_text(encoded.ids[first:end], is_end=is_end)
            if any(tokens.loss):  # a single token has nothing before it to learn it from
                yield tokens
            first = end


def _cut(first: int, end: int, *, pauses: list[npt.NDArray[np.int64]], room: int) -> int:
    """Where the sample that begins at token `first` ends."""
    if end - first <= room:
        return end
    for cuts in pauses:
        last = int(np.searchsorted(cuts, first + room, side="right")) - 1
        if last >= 0 and cuts[last] > first + room // 4:
            return int(cuts[last])
    return first + room


def _blocks(text: str) -> Iterator[str]:
    """The text in blocks that end with a paragraph, or failing that with a line."""
    first = 0
    while len(text) - first > _BLOCK_CHARACTERS:
        limit = first + _BLOCK_CHARACTERS
        for border in ("\n\n", "\n", " "):
            index = text.rfind(border, first + _BLOCK_CHARACTERS // 2, limit)
            if index >= 0:
                limit = index + len(border)
                break
        yield text[first:limit]
        first = limit
    yield text[first:]
