"""Files of hosted fine-tuning and of other trainers, as their users keep them."""

import json
from pathlib import Path
from typing import Any

import pytest

from ftdist.library.readers.rows.chat_formats import read_conversations
from ftdist.library.readers.rows.settings import RowSettings
from ftdist.library.schema import BadRow, Conversation, Row
from tests.support.migration import FOLDER

LF = FOLDER / "llamafactory"
FIRST = "Press the blue key for 3 seconds, then turn the dial to FLOW."
"""The answer of each file's first question."""


def rows_of(path: Path, **settings: Any) -> list[Row]:
    return list(read_conversations(path, name=path.name, settings=RowSettings(**settings)))


def conversations(path: Path, **settings: Any) -> list[Conversation]:
    rows = rows_of(path, **settings)
    assert [row for row in rows if not isinstance(row, Conversation)] == []
    return [row for row in rows if isinstance(row, Conversation)]


@pytest.mark.parametrize(
    ("file", "settings"),
    [
        ("openai_chat.jsonl", {}),
        ("openai_dpo.jsonl", {"preferences": "chosen"}),
        ("together_chat.jsonl", {}),
        ("together_instruction.jsonl", {}),
        ("together_preference.jsonl", {"preferences": "chosen"}),
        ("together_reasoning.jsonl", {}),
        ("axolotl_chats.jsonl", {"columns": {"messages": "dialogue"}}),
        ("llamafactory/pump.json", {"columns": {"question": "frage", "answer": "antwort"}}),
        ("llamafactory/pump_pairs.json", {"preferences": "chosen"}),
    ],
)
def test_every_row_is_a_conversation_that_ends_in_its_answer(
    file: str, settings: dict[str, Any]
) -> None:
    rows = conversations(FOLDER / file, **settings)
    assert len(rows) == 8
    assert rows[0].messages[-1]["content"] == FIRST
    assert all(row.messages[-1]["role"] == "assistant" for row in rows)


@pytest.mark.parametrize(
    "file", ["openai_tools.jsonl", "mistral_tools.jsonl", "llamafactory/pump_tools.json"]
)
def test_tools_calls_and_results_are_read_from_each_form(file: str) -> None:
    rows = conversations(FOLDER / file)
    assert len(rows) == 8
    messages = [message for message in rows[0].messages if message["role"] != "system"]
    assert [message["role"] for message in messages] == ["user", "assistant", "tool", "assistant"]
    [call] = messages[1]["tool_calls"]
    assert call["function"]["name"] == "find_part"
    assert json.loads(call["function"]["arguments"]) == {"part": "impeller"}
    assert messages[1]["content"] == ""
    assert json.loads(messages[2]["content"]) == {"number": "HI-77"}
    [tool] = json.loads(rows[0].tools)
    assert tool.get("function", tool)["name"] == "find_part"


def test_a_conversation_may_end_in_a_call() -> None:
    last = conversations(FOLDER / "openai_tools.jsonl")[-1].messages[-1]
    assert last["tool_calls"][0]["function"]["name"] == "find_part"


def test_an_answer_of_weight_0_stays_as_context() -> None:
    messages = conversations(FOLDER / "openai_chat.jsonl")[1].messages
    answers = [message for message in messages if message["role"] == "assistant"]
    assert [message.get("weight", 1) for message in answers] == [0, 1]


def test_thoughts_stay_with_their_answer() -> None:
    answer = conversations(FOLDER / "together_reasoning.jsonl")[0].messages[-1]
    assert answer["reasoning_content"] == "This is about the T-7; its manual says so."


@pytest.mark.parametrize("file", ["openai_dpo.jsonl", "llamafactory/pump_pairs.json"])
def test_preferences_are_refused_with_the_key_that_takes_them(file: str) -> None:
    rows = rows_of(FOLDER / file)
    assert all(isinstance(row, BadRow) for row in rows)
    assert isinstance(rows[0], BadRow)
    assert "library.preferences=chosen" in rows[0].remedy


def test_pictures_are_refused_by_name() -> None:
    [row] = rows_of(FOLDER / "openai_vision.jsonl")
    assert isinstance(row, BadRow)
    assert "image_url" in row.reason
