"""Keys that say what is learned are followed or refused; keys that are not used are noted."""

from pathlib import Path
from typing import Any

import pytest

from ftdist.library.schema import Conversation, Passage
from tests.support.documents.read_rows import exchange, notes, read_row, reason, turns

UNLEARNED: list[tuple[str, Any]] = [
    *(("weight", value) for value in (0, 0.0, "0", False)),
    *(("loss", value) for value in (False, 0)),
    *((key, False) for key in ("train", "trainable", "training", "trainOnTurn", "learn")),
    *((key, 0) for key in ("loss_mask", "loss_weight", "loss_scale", "Train On Turn")),
    *((key, "no") for key in ("output_with_loss", "is_trainable", "compute_loss")),
    *((key, True) for key in ("masked", "ignore", "no_loss", "skip", "do_not_train")),
]


@pytest.mark.parametrize(("key", "value"), UNLEARNED)
@pytest.mark.parametrize("at", [1, 3])
def test_answer_that_asks_not_to_be_learned_is_kept_with_weight_0(
    tmp_path: Path, key: str, value: Any, at: int
) -> None:
    messages = exchange("Q1", "A1.", "Q2", "A2.")
    messages[at][key] = value
    row = read_row(tmp_path, {"messages": messages})
    assert isinstance(row, Conversation)
    assert [message.get("weight") for message in row.messages] == [
        0 if number == at else None for number in range(4)
    ]
    assert turns(row)[3] == ("assistant", "A2.")
    assert notes(row) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [("weight", 1), ("weight", "1.0"), ("loss", True), ("masked", False), ("train", "true"),
     ("skip", 0), ("weight", None)],
)  # fmt: skip
def test_answer_that_asks_to_be_learned_is(tmp_path: Path, key: str, value: Any) -> None:
    messages = exchange("Q", "A.")
    messages[1][key] = value
    row = read_row(tmp_path, {"messages": messages})
    assert turns(row) == [("user", "Q"), ("assistant", "A.")]
    assert notes(row) == []


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("weight", 0.5, "has weight 0.5 in message 2, and all answers have the same weight"),
        ("weight", "2", "has weight 2 in message 2, and all answers have the same weight"),
        ("mask", True, "has mask True in message 2, which tools understand differently"),
        ("train_detail", [{"train": False}], "has train_detail [{'train': False}] in message 2"),
        ("loss_mask", [0, 1], "has loss_mask [0, 1] in message 2"),
    ],
)
def test_what_no_mask_of_whole_answers_can_say_is_refused(
    tmp_path: Path, key: str, value: Any, why: str
) -> None:
    messages = exchange("Q", "A.")
    messages[1][key] = value
    assert reason(read_row(tmp_path, {"messages": messages})).startswith(why)


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"train": False}, "says that it is not to be learned (train False)"),
        ({"ignore": "yes"}, "says that it is not to be learned (ignore yes)"),
        ({"weight": 0.5}, "has weight 0.5, and all answers have the same weight"),
        ({"loss_mask": [1, 0]}, "has only answers that are not to be learned (by the row's mask)"),
        ({"loss_mask": [0, 0, 1]}, "has loss_mask [0, 0, 1], and all answers have the same weight"),
        ({"mask": "Assistant"}, "has mask Assistant, which tools understand differently"),
        ({"label": False}, "has label False, which marks its answer as a bad one"),
        ({"kto_tag": 0}, "has kto_tag 0, which marks its answer as a bad one"),
        ({"is_correct": "no"}, "has is_correct no, which marks its answer as a bad one"),
        ({"rejected": True}, "has rejected True, which marks its answer as a bad one"),
        ({"rejected": "A."}, "is a preference pair: it has a chosen and a rejected answer"),
        ({"chosen": "B."}, "has chosen and messages, whose answers differ"),
    ],
)
def test_row_that_asks_not_to_be_learned_is_refused(
    tmp_path: Path, more: dict[str, Any], why: str
) -> None:
    assert reason(read_row(tmp_path, {"messages": exchange("Q", "A."), **more})) == why


@pytest.mark.parametrize(
    "more",
    [{"train": True}, {"weight": 1}, {"loss_mask": [0, 1]}, {"mask": "User"}, {"label": True},
     {"chosen": "A."}, {"rejected": False}, {"id": 7, "url": "u", "created_at": "2031"}],
)  # fmt: skip
def test_row_that_says_what_happens_anyway_is_read(tmp_path: Path, more: dict[str, Any]) -> None:
    row = read_row(tmp_path, {"messages": exchange("Q", "A."), **more})
    assert turns(row) == [("user", "Q"), ("assistant", "A.")]
    assert notes(row) == []


@pytest.mark.parametrize(
    ("more", "noted"),
    [
        ({"verified": False}, ("unused key: verified", "False")),
        ({"score": 0}, ("unused key: score", "0")),
        ({"notes": "word " * 100}, ("unused key: notes", ("word " * 100)[:117] + "...")),
        ({"source": "word " * 100}, ("unused key: source", ("word " * 100)[:117] + "...")),
        ({"Train On Inputs": True}, ("unused key: train_on_inputs", "True")),
    ],
)
def test_what_is_not_used_is_noted_by_name(
    tmp_path: Path, more: dict[str, Any], noted: tuple[str, str]
) -> None:
    row = read_row(tmp_path, {"messages": exchange("Q", "A."), **more})
    assert turns(row) == [("user", "Q"), ("assistant", "A.")]
    assert notes(row) == [noted]


def test_notes_of_messages_are_counted_per_row(tmp_path: Path) -> None:
    messages = exchange("Q", "A.", "Q", "A.")
    for message in messages:
        message |= {"flag": 0, "name": "Mia"}
    row = read_row(tmp_path, {"messages": messages})
    assert not isinstance(row, Passage)
    [note] = row.notes  # type: ignore[union-attr]
    assert (note.rule, note.excerpt, note.count) == ("unused key of messages: flag", "0", 4)


def test_label_of_a_passage_is_noted(tmp_path: Path) -> None:
    row = read_row(tmp_path, {"text": "The lamp is broken.", "label": 0})
    assert isinstance(row, Passage)
    assert notes(row) == [("unused key: label", "0")]
