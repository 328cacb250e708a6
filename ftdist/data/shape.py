"""What a chat template writes around contents, found once for each order of roles.

A template is a program: it may look into a message, and write another text for it than for the
one before. So it is run once on contents that are sealed: they can be written and trimmed, and
whatever else is done to them ends the run. A template that comes through writes the same around
all contents, which then need no template: their texts are joined.
"""

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Any, NoReturn

from jinja2 import Environment, Template, TemplateError

# The one place where the sandbox that transformers renders templates in can be had.
from transformers.utils.chat_template_utils import _compile_jinja_template

from ftdist.data.message import Message
from ftdist.data.specials import Span

_BLANK = "\x0b"
# Whatever else than trimming is done to it (escaped, folded, lower case) leaves it another text.
_PROBE = _BLANK + "\tA{}b \"c' <&> \u00e9\\d\t" + _BLANK

# Copies the characters of what it is given, seals or not, so that they could be looked into.
_READS_THROUGH = re.compile(r"~|\b(?:join|format|macro|endset|endfilter|endcall)\b")
_MAY_TOUCH = ("trim", "string")
"""Filters that may be given what is sealed."""


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

    is_sure: bool
    """Whether all contents are written so."""

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


def shape_of(
    text: str, probe: Sequence[Message], *, spans: Sequence[Span], is_sure: bool
) -> Shape | None:
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
    if any(_BLANK in piece for piece in between):
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
        is_sure=is_sure,
    )


def looks_away(source: str, probe: Sequence[Message], *, names: Mapping[str, str]) -> str | None:
    """What a template writes for contents that it cannot look into; None: it looks, or refuses."""
    if _READS_THROUGH.search(source):
        return None
    messages = [{"role": m["role"], "content": _Sealed(m["content"])} for m in probe]
    try:
        return _sealing(source).render(
            messages=messages, tools=None, documents=None, add_generation_prompt=False, **names
        )
    except (_SealError, TemplateError, TypeError, ValueError, LookupError, AttributeError):
        return None


class _SealError(Exception):
    """A template looks into a content."""


class _Sealed(str):
    """A text that can be written and trimmed; all else that a text can do is refused below."""

    __slots__ = ()

    def __str__(self) -> str:
        return self

    def __add__(self, other: str) -> "_Sealed":
        return _Sealed(str.__add__(self, other))

    def __radd__(self, other: str) -> "_Sealed":
        return _Sealed(str.__add__(other, self))

    def strip(self, chars: str | None = None) -> "_Sealed":
        if chars is not None:
            raise _SealError
        return _Sealed(str.strip(self))


def _refuse(*_: Any, **__: Any) -> NoReturn:
    raise _SealError


_NEEDED = ("__new__", "__init__", "__class__", "__getattribute__", "__doc__")
for _name in {*dir(str), "__bool__"} - {*vars(_Sealed), *_NEEDED, *dir(object)} | {
    *("__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__hash__", "__format__"),
    "__repr__",
}:
    setattr(_Sealed, _name, _refuse)


@lru_cache(maxsize=8)
def _sealing(source: str) -> Template:
    """A template whose filters refuse what is sealed."""
    environment: Environment = _compile_jinja_template(source).environment.overlay()
    environment.filters = {
        name: of_all if name in _MAY_TOUCH else _guarded(of_all)
        for name, of_all in environment.filters.items()
    }
    return environment.from_string(source)


def _guarded(of_all: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(of_all)
    def guarded(*values: Any, **named: Any) -> Any:
        if any(isinstance(value, _Sealed) for value in (*values, *named.values())):
            raise _SealError
        return of_all(*values, **named)

    return guarded
