"""Files for hosted fine-tuning, in the forms of their services' documentation, read as they are."""

import json
from pathlib import Path
from typing import Any

import pytest

from ftdist.library.readers.rows import parse_row
from ftdist.library.readers.rows.chat_formats import read_conversations
from ftdist.library.schema import BadRow, Conversation, Passage, Row
from ftdist.library.sources.reference import DataReference
from ftdist.prepare.data_files import find_files
from ftdist.prepare.portions import parts_of
from tests.support.documents.read_rows import notes, read_row, reason, turns

OPENAI = """
{"messages": [{"role": "system", "content": "Marv is a factual chatbot that is also sarcastic."}, {"role": "user", "content": "What's the capital of France?"}, {"role": "assistant", "content": "Paris, as if everyone doesn't know that already."}]}
{"messages": [{"role": "user", "content": "What's the capital of France?"}, {"role": "assistant", "content": "Paris", "weight": 0}, {"role": "user", "content": "Can you be more sarcastic?"}, {"role": "assistant", "content": "Paris, as if everyone doesn't know that already.", "weight": 1}]}
{"messages": [{"role": "user", "content": "What is the weather in San Francisco?"}, {"role": "assistant", "tool_calls": [{"id": "call_id", "type": "function", "function": {"name": "get_current_weather", "arguments": "{\\"location\\": \\"San Francisco, USA\\", \\"format\\": \\"celsius\\"}"}}]}], "parallel_tool_calls": false, "tools": [{"type": "function", "function": {"name": "get_current_weather", "description": "Get the current weather", "parameters": {"type": "object", "properties": {"location": {"type": "string", "description": "The city and country, eg. San Francisco, USA"}, "format": {"type": "string", "enum": ["celsius", "fahrenheit"]}}, "required": ["location", "format"]}}}]}
"""  # noqa: E501
TOGETHER = """
{"messages": [{"role": "system", "content": "This is a system prompt."}, {"role": "user", "content": "Hello, how are you?"}, {"role": "assistant", "content": "I'm doing well, thank you! How can I help you?"}, {"role": "user", "content": "Can you explain machine learning?"}, {"role": "assistant", "content": "Machine learning is..."}]}
{"prompt": "What is the capital of France?", "completion": "The capital of France is Paris."}
{"text": "Once upon a time, in a land far away..."}
"""  # noqa: E501
MISTRAL = """
{"messages": [{"role": "user", "content": "What's the weather like today in San Francisco?"}, {"role": "assistant", "content": "", "tool_calls": [{"id": "TX92Jm8Zi", "type": "function", "function": {"name": "get_current_weather", "arguments": "{\\"location\\": \\"San Francisco, CA\\"}"}}]}, {"role": "tool", "content": "22", "tool_call_id": "TX92Jm8Zi"}, {"role": "assistant", "content": "The temperature is 22 degrees Celsius."}], "tools": [{"type": "function", "function": {"name": "get_current_weather", "description": "Get the current weather", "parameters": {"type": "object", "properties": {"location": {"type": "string"}}, "required": ["location"]}}}]}
"""  # noqa: E501


def rows_of(folder: Path, text: str) -> list[Row]:
    path = folder / "train.jsonl"
    path.write_text(text.lstrip(), encoding="utf-8")
    return list(read_conversations(path, name="train.jsonl"))


def roles(row: Row) -> list[str]:
    return [role for role, _ in turns(row)]


def test_openai_s_chat_file(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, OPENAI)
    assert [roles(row) for row in rows] == [
        ["system", "user", "assistant"],
        ["user", "assistant", "user", "assistant"],
        ["user", "assistant"],
    ]
    assert all(notes(row) == [] for row in rows)
    weighted, called = rows[1], rows[2]
    assert isinstance(weighted, Conversation)
    assert [message.get("weight") for message in weighted.messages] == [None, 0, None, None]
    assert isinstance(called, Conversation)
    [call] = called.messages[1]["tool_calls"]
    assert json.loads(call["function"]["arguments"])["format"] == "celsius"
    assert json.loads(called.tools)[0]["function"]["parameters"]["required"] == [
        "location", "format"
    ]  # fmt: skip


def test_together_s_conversations_instructions_and_texts(tmp_path: Path) -> None:
    chat, pair, text = rows_of(tmp_path, TOGETHER)
    assert roles(chat) == ["system", "user", "assistant", "user", "assistant"]
    assert turns(pair)[1] == ("assistant", "The capital of France is Paris.")
    assert isinstance(text, Passage)


def test_mistral_s_function_calls(tmp_path: Path) -> None:
    [row] = rows_of(tmp_path, MISTRAL)
    assert roles(row) == ["user", "assistant", "tool", "assistant"]
    assert isinstance(row, Conversation)
    assert row.messages[2]["tool_call_id"] == row.messages[1]["tool_calls"][0]["id"] == "TX92Jm8Zi"


def test_openai_s_pictures_are_refused_by_name(tmp_path: Path) -> None:
    parts = [
        {"type": "text", "text": "What is this cheese?"},
        {"type": "image_url", "image_url": {"url": "https://example.org/cheese.jpg"}},
    ]
    messages = [{"role": "user", "content": parts}, {"role": "assistant", "content": "Danbo"}]
    assert reason(read_row(tmp_path, {"messages": messages})) == (
        "contains a part of type 'image_url' in message 1 (user), and only text is supported"
    )


def test_training_reads_the_same_conversations_as_a_curation(tmp_path: Path) -> None:
    curated = rows_of(tmp_path, OPENAI + MISTRAL.lstrip())
    files = find_files(DataReference(path=str(tmp_path / "train.jsonl")), key="library.path")
    trained = [
        row for _, part in parts_of(files, source="library", portion_bytes=300) for row in part.rows
    ]

    def content(rows: list[Any]) -> list[Any]:
        return [(row.messages, row.tools) for row in rows]

    assert content(trained) == content(curated)
    assert len(trained) == 4


def test_a_row_with_too_much_text_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parse_row, "MAX_CHARACTERS", 2**20)
    long = "x" * (2**20 + 1)
    for row in ({"question": "Q?", "answer": long}, {"text": long}):
        bad = read_row(tmp_path, row)
        assert isinstance(bad, BadRow)
        assert (bad.reason, bad.remedy) == (
            "is longer than 1 MiB of text", "Split it, or remove it."
        )  # fmt: skip
