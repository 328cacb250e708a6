"""Subtitles (SRT, WebVTT): what is spoken, without numbers and times."""

import re
from pathlib import Path

from ftdist.library.readers import read_bytes, title_from_stem
from ftdist.library.readers.encoding import decode
from ftdist.library.schema import BadRow, Block, Document, Location

_TIMES = re.compile(
    r"^(?:(\d+):)?(\d\d):(\d\d)[,.](\d{3})\s+-->\s+(?:(\d+):)?(\d\d):(\d\d)[,.](\d{3}).*$"
)
_TAG = re.compile(r"</?(?:[bicuv]|font|lang|ruby|rt|\d\d:)[^<>]*>|\{\\[^{}]*\}")
_PAUSE_S = 3.0
"""A longer pause begins a new paragraph."""


def read_subtitles(path: Path, *, name: str, encoding: str | None = None) -> Document | BadRow:
    """Read subtitles as paragraphs."""
    text, notes = decode(read_bytes(path), encoding=encoding)
    paragraphs: list[str] = []
    last_end = -_PAUSE_S
    for cue in re.split(r"\n\s*\n", text):
        lines = cue.strip().split("\n")
        number = next((n for n, line in enumerate(lines) if _TIMES.match(line)), None)
        spoken = (
            [] if number is None else [_TAG.sub("", line).strip() for line in lines[number + 1 :]]
        )
        words = " ".join(filter(None, spoken))
        if number is None or not words:
            continue
        start, end = _seconds(lines[number])
        if paragraphs and start - last_end < _PAUSE_S and not words.startswith("- "):
            is_repeated = paragraphs[-1].endswith(words)  # a line that rolls up is shown again
            paragraphs[-1] += "" if is_repeated else f" {words}"
        else:
            paragraphs.append(words)
        last_end = end
    if not paragraphs:
        return BadRow("contains no text", Location(name), "Remove it.")
    return Document(
        title=title_from_stem(path.stem),
        blocks=tuple(Block(kind="paragraph", text=text) for text in paragraphs),
        location=Location(name),
        notes=notes,
    )


def _seconds(times: str) -> tuple[float, float]:
    match = _TIMES.match(times)
    numbers = [int(group or 0) for group in match.groups()] if match else [0] * 8
    start, end = (h * 3600 + m * 60 + s + ms / 1000 for h, m, s, ms in (numbers[:4], numbers[4:]))
    return start, end
