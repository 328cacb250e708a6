"""A model's text parted into thought and answer, whole and in pieces."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftdist.data.thoughts import ThoughtSplitter, is_unfinished, opens_thought, split_thought

WHOLE = {
    "Hold it.": ("", "Hold it."),
    "<think>\nRow 1.\n</think>\n\nHold it.": ("Row 1.", "Hold it."),
    "<think>\n\n</think>\n\nHold it.": ("", "Hold it."),
    "<think>\nRow 1, or": ("Row 1, or", ""),
    "It ends with </think>, mostly.": ("", "It ends with </think>, mostly."),
    "<think>a</think>Write </think>.": ("a", "Write </think>."),
    "": ("", ""),
}


@pytest.mark.parametrize("text", WHOLE)
def test_the_thought_is_what_stands_before_the_answer(text: str) -> None:
    assert split_thought(text) == WHOLE[text]
    assert is_unfinished(text) == (text == "<think>\nRow 1, or")


@given(
    text=st.sampled_from(list(WHOLE))
    | st.lists(st.sampled_from(["<think>", "</think>", " ", "\n", "a", "<"])).map("".join),
    cuts=st.lists(st.integers(0, 30)),
)
def test_pieces_add_up_to_the_parts_of_the_whole(text: str, cuts: list[int]) -> None:
    thoughts, answer = list[str](), list[str]()
    splitter = ThoughtSplitter(on_thought=thoughts.append, on_answer=answer.append)
    borders = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    for first, end in pairwise(borders):
        splitter.feed(text[first:end])
    splitter.feed("", is_end=True)
    thought, expected = split_thought(text)
    assert thoughts == [thought] * bool(thought)
    assert "".join(answer).strip() == expected


def test_the_answer_is_streamed_while_it_is_written() -> None:
    pieces: list[str] = []
    splitter = ThoughtSplitter(on_thought=pieces.append, on_answer=pieces.append)
    for piece, written in (
        ("<thi", []),
        ("nk>\nRow", []),
        (" 1.</think>", ["Row 1."]),
        ("\n\nHold", ["Row 1.", "Hold"]),
    ):
        splitter.feed(piece)
        assert pieces == written


def test_a_prompt_may_end_within_a_thought() -> None:
    assert opens_thought("assistant\n<think>\n")
    assert not opens_thought("assistant\n<think>\n\n</think>\n\n")
    assert not opens_thought("assistant\n")
