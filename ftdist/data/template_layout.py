"""What a chat template writes around contents, found once for each order of roles.

A template is a program: it may look into a message, and write another text for it than for the
one before. So, unless its source shows that it does not look, the text that it writes is always
asked for; where it is the one that the shape gives, character by character, answers are where the
shape has them, and no prompt needs to be rendered to find them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from ftdist.data.messages import Message
from ftdist.data.special_tokens import Span

_BLANK = "\x0b"
# Whatever else than trimming is done to it (escaped, folded, lower case) leaves it another text.
_MARK = "b \"c' <&> \u00e9\\d"
_PROBE = _BLANK + "\tA{}" + _MARK + "\t" + _BLANK


@dataclass(frozen=True)
class Shape:
    """What a template writes for one order of roles, contents apart."""

    between: tuple[str, ...]
    """Before each content, and after the last."""

    trimmed: tuple[bool, ...]
    """Which contents are written without the blanks at their ends."""

    answers: tuple[int, ...]
    """Which messages are answers."""

    spans: tuple[Span, ...]
    """Where each answer's turn begins and ends, the lengths of contents up to there not counted."""

    def write(self, messages: Sequence[Message]) -> tuple[str, list[Span]]:
        """The text of a conversation, and the span of each answer with the end of its turn."""
        contents = [
            message["content"].strip() if is_trimmed else message["content"]
            for message, is_trimmed in zip(messages, self.trimmed, strict=True)
        ]
        pieces = list(self.between)
        pieces[1:] = [
            piece for pair in zip(contents, self.between[1:], strict=True) for piece in pair
        ]
        ends = list(accumulate(map(len, contents), initial=0))
        spans = [
            (first + ends[at], end + ends[at + 1])
            for (first, end), at in zip(self.spans, self.answers, strict=True)
        ]
        return "".join(pieces), spans


def probe_of(roles: Sequence[str]) -> list[Message]:
    """Messages in an order of roles, with contents that are found again wherever they stand."""
    return [Message(role=role, content=_PROBE.format(at)) for at, role in enumerate(roles)]


def shape_of(text: str, probe: Sequence[Message], *, spans: Sequence[Span]) -> Shape | None:
    """The shape of what was rendered from `probe_of`; None: contents are changed or moved."""
    between: list[str] = []
    trimmed: list[bool] = []
    rest = text
    for message in probe:
        content = message["content"]
        trimmed.append(content not in rest)
        before, found, rest = rest.partition(content.strip() if trimmed[-1] else content)
        if not found:
            return None
        between.append(before)
    between.append(rest)
    if any(_BLANK in piece or _MARK in piece for piece in between):
        return None  # trimmed at one end, or written once more
    lengths = [
        len(message["content"].strip() if is_trimmed else message["content"])
        for message, is_trimmed in zip(probe, trimmed, strict=True)
    ]
    ends = list(accumulate(lengths, initial=0))
    answers = tuple(at for at, message in enumerate(probe) if message["role"] == "assistant")
    return Shape(
        between=tuple(between),
        trimmed=tuple(trimmed),
        answers=answers,
        spans=tuple(
            (first - ends[at], end - ends[at + 1])
            for (first, end), at in zip(spans, answers, strict=True)
        ),
    )
