"""Thoughts that models write before an answer, between `<think>` and `</think>`."""

from collections.abc import Callable
from typing import NamedTuple

BEGIN, END = "<think>", "</think>"


class Reply(NamedTuple):
    """What a model wrote after a prompt.

    Attributes:
        thought: "" without one.
        answer: what follows it; "" where the thought does not end.
    """

    thought: str
    answer: str


class Begun(NamedTuple):
    """A text that begins with a thought.

    Attributes:
        before: blanks before the thought.
        thought: between its tags, as written.
        rest: what follows it, as written.
    """

    before: str
    thought: str
    rest: str


def begin_thought(text: str) -> Begun | None:
    """Part a text from the whole thought that it begins with; None without one."""
    before, begin, rest = text.partition(BEGIN)
    if not begin or before.strip() or END not in rest:
        return None
    thought, _, rest = rest.partition(END)
    return Begun(before, thought, rest)


def split_thought(text: str) -> Reply:
    """Part a model's text into its thought and its answer."""
    text = text.strip()
    if not text.startswith(BEGIN):
        return Reply("", text)
    thought, _, answer = text.removeprefix(BEGIN).partition(END)
    return Reply(thought.strip(), answer.strip())


def is_unfinished(text: str) -> bool:
    """Whether a model's text ends within its thought."""
    return text.lstrip().startswith(BEGIN) and END not in text


def opens_thought(prompt: str) -> bool:
    """Whether a prompt ends within a thought that has no words yet."""
    return prompt.rstrip().endswith(BEGIN)


class ThoughtSplitter:
    """Parts a text into thought and answer while it is generated.

    Args:
        on_thought: called once with the thought, unless it is empty; before any of the answer.
        on_answer: called with each piece of the answer, without leading blanks.
    """

    def __init__(
        self, *, on_thought: Callable[[str], None], on_answer: Callable[[str], None]
    ) -> None:
        self._on_thought, self._on_answer = on_thought, on_answer
        self._pending = ""
        self._is_answer = self._has_begun = False

    def feed(self, piece: str, *, is_end: bool = False) -> None:
        """Take the next piece of the text; `is_end`: the last one."""
        self._pending += piece
        if not self._is_answer:
            begin = self._pending.lstrip()
            is_complete = is_end or END in begin or not BEGIN.startswith(begin[: len(BEGIN)])
            if not is_complete:
                return
            if begin.startswith(BEGIN):
                thought, _, self._pending = begin.removeprefix(BEGIN).partition(END)
                if thought.strip():
                    self._on_thought(thought.strip())
            self._is_answer = True
        text = self._pending if self._has_begun else self._pending.lstrip()
        self._pending = ""
        if text:
            self._has_begun = True
            self._on_answer(text)
