"""Thoughts that models write before an answer, between `<think>` and `</think>`."""

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


def split_thought(text: str, *, is_open: bool = False) -> Reply:
    """Part a model's text into its thought and its answer.

    Args:
        text: as generated.
        is_open: whether the prompt has begun a thought.
    """
    text = text.strip()
    if text.startswith(BEGIN):
        text = text.removeprefix(BEGIN)
    elif not is_open:
        return Reply("", text)
    thought, _, answer = text.partition(END)
    return Reply(thought.strip(), answer.strip())


def opens_thought(prompt: str) -> bool:
    """Whether a prompt ends within a thought."""
    return prompt.rpartition(BEGIN)[2].strip() == "" and BEGIN in prompt
