"""Preference data: refused with the remedy, or the chosen answers alone."""

import json
from pathlib import Path
from typing import Any

import pytest

from ftdist.library.readers.rows.chat_formats import read_conversations
from ftdist.library.readers.rows.settings import RowSettings
from ftdist.library.schema import BadRow, Conversation
from tests.support.documents.read_rows import exchange, notes, read_row, reason, turns

ASKED, CHOSEN, REJECTED = exchange("Reset?"), exchange("", "Hold it.")[1], exchange("", "No.")[1]
TOOL = {"type": "function", "function": {"name": "reset"}}

PAIRS: dict[str, Any] = {
    "OpenAI, Together": {
        "input": {"messages": ASKED, "tools": [], "parallel_tool_calls": True},
        "preferred_output": [CHOSEN],
        "non_preferred_output": [REJECTED],
    },
    "TRL": {"prompt": "Reset?", "chosen": "Hold it.", "rejected": "No."},
    "TRL, conversations": {"prompt": ASKED, "chosen": [CHOSEN], "rejected": [REJECTED]},
    "TRL, prompt within": {"chosen": [*ASKED, CHOSEN], "rejected": [*ASKED, REJECTED]},
    "UltraFeedback": {
        "prompt": "Reset?",
        "chosen": [*ASKED, CHOSEN],
        "rejected": [*ASKED, REJECTED],
        "messages": [*ASKED, CHOSEN],
        "score_chosen": 9.0,
        "score_rejected": 2.5,
    },
    "hh-rlhf": {
        "chosen": "\n\nHuman: Reset?\n\nAssistant: Hold it.",
        "rejected": "\n\nHuman: Reset?\n\nAssistant: No.",
    },
    "LLaMA-Factory, ShareGPT": {
        "conversations": [{"from": "human", "value": "Reset?"}],
        "chosen": {"from": "gpt", "value": "Hold it."},
        "rejected": {"from": "gpt", "value": "No."},
    },
    "LLaMA-Factory, Alpaca": {
        "instruction": "Reset?", "input": "", "chosen": "Hold it.", "rejected": "No."
    },
    "KTO-like pair": {"messages": [*ASKED, CHOSEN], "rejected": "No."},
}  # fmt: skip


@pytest.mark.parametrize("row", PAIRS.values(), ids=PAIRS)
def test_pairs_are_refused_with_the_remedy_or_their_chosen_answer_is_taken(
    tmp_path: Path, row: Any
) -> None:
    bad = read_row(tmp_path, row)
    assert reason(bad) == "is a preference pair: it has a chosen and a rejected answer"
    assert isinstance(bad, BadRow)
    assert bad.remedy == "Set library.preferences=chosen to learn the chosen answers."
    read = read_row(tmp_path, row, preferences="chosen")
    assert turns(read) == [("user", "Reset?"), ("assistant", "Hold it.")]
    assert [rule for rule, _ in notes(read)] == ["chosen answer of a preference pair taken"]


def test_tools_and_steps_of_a_chosen_answer_are_kept(tmp_path: Path) -> None:
    steps = [
        {"role": "assistant", "tool_calls": [{"function": {"name": "reset", "arguments": "{}"}}]},
        {"role": "tool", "content": "done"},
        {"role": "assistant", "content": "Done."},
    ]
    row = {
        "input": {"messages": ASKED, "tools": [TOOL]},
        "preferred_output": steps,
        "non_preferred_output": [REJECTED],
    }
    read = read_row(tmp_path, row, preferences="chosen")
    assert [role for role, _ in turns(read)] == ["user", "assistant", "tool", "assistant"]
    assert isinstance(read, Conversation)
    assert json.loads(read.tools) == [TOOL]


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"prompt": "Q?", "chosen": "A.", "rejected": "A."}, "has a rejected answer that is its"),
        ({"prompt": "Q?", "chosen": "A.", "rejected": "B.", "score_chosen": 1, "score_rejected": 2},
         "has score_chosen 1 below score_rejected 2"),
        ({"chosen": "The sky is blue.", "rejected": "It is green."}, "has none of the known"),
    ],
)  # fmt: skip
def test_pairs_without_a_better_answer_to_a_question_are_refused(
    tmp_path: Path, row: Any, why: str
) -> None:
    assert reason(read_row(tmp_path, row, preferences="chosen")).startswith(why)


def test_a_chosen_answer_alone_is_an_answer(tmp_path: Path) -> None:
    read = read_row(tmp_path, {"prompt": "Reset?", "chosen": "Hold it."})
    assert turns(read) == [("user", "Reset?"), ("assistant", "Hold it.")]


@pytest.mark.parametrize("key", ["label", "kto_tag"])
def test_undesirable_answers_are_left_out_and_counted(tmp_path: Path, key: str) -> None:
    path = tmp_path / "kto.jsonl"
    rows = [{"prompt": "Q?", "completion": f"A{at}.", key: at == 1} for at in range(4)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    [row] = read_conversations(path, name="kto", settings=RowSettings(preferences="chosen"))
    assert turns(row) == [("user", "Q?"), ("assistant", "A1.")]
    assert str(row.location) == "kto, row 2"
    assert isinstance(row, Conversation)
    [note] = row.notes
    assert (note.rule, note.count) == (f"answer marked as a bad one left out: {key}", 3)

    bad = list(read_conversations(path, name="kto"))
    assert [type(each) for each in bad] == [BadRow, Conversation, BadRow, BadRow]
    assert isinstance(bad[0], BadRow)
    assert bad[0].remedy.startswith("Set library.preferences=chosen to leave such rows out")


PAIR = {"prompt": "Reset?", "chosen": "Hold it.", "rejected": "No."}
OPENED = {"input": {"messages": ASKED, "tools": [TOOL]}, "preferred_output": [CHOSEN],
          "non_preferred_output": [REJECTED]}  # fmt: skip


@pytest.mark.parametrize(
    ("row", "names"),
    [
        (PAIR | {"chosen_response": "Press it."}, "chosen and chosen_response"),
        ({"answer_chosen": "Press it.", **PAIR}, "answer_chosen and chosen"),
        (PAIR | {"rejected_answer": "Never."}, "rejected and rejected_answer"),
        (PAIR | {"preferred_output": [CHOSEN]}, "chosen and preferred_output"),
        (OPENED | {"tools": [TOOL, TOOL]}, "tools and input.tools"),
    ],
)
def test_two_keys_that_mean_the_same_and_differ_are_refused(
    tmp_path: Path, row: Any, names: str
) -> None:
    assert reason(read_row(tmp_path, row, preferences="chosen")) == f"has {names}, which differ"


@pytest.mark.parametrize(
    "row",
    [
        PAIR | {"chosen_response": "Hold it.", "rejected_answer": ""},
        PAIR | {"chosen": "", "chosen_response": "Hold it."},
        OPENED | {"tools": [TOOL]},
    ],
)
def test_two_keys_that_mean_the_same_and_agree_are_one(tmp_path: Path, row: Any) -> None:
    read = read_row(tmp_path, row, preferences="chosen")
    assert turns(read) == [("user", "Reset?"), ("assistant", "Hold it.")]
