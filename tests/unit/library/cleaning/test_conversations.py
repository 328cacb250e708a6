"""Conversations with tools are masked and cleaned in every text, and stay what they are."""

import json
from typing import Any

import pytest

from ftdist.data.messages import FunctionCall, Message, ToolCall
from ftdist.library.cleaning.mask_row import mask_row
from ftdist.library.cleaning.text import clean_row
from ftdist.library.schema import BadRow, Conversation, Location

WHERE = Location("a.jsonl", 1)


def call(arguments: str) -> ToolCall:
    function = FunctionCall(name="mail", arguments=arguments)
    return ToolCall(type="function", function=function, id="call_1")


def calling(arguments: str, *, thought: str = "") -> Conversation:
    answer = Message(role="assistant", content="", tool_calls=[call(arguments)])
    if thought:
        answer["reasoning_content"] = thought
    messages = (
        Message(role="user", content="Write."),
        answer,
        Message(role="tool", content="sent", tool_call_id="call_1", name="mail"),
        Message(role="assistant", content="Done.", weight=0),
    )
    return Conversation(messages, WHERE)


def masked(row: Conversation) -> Conversation:
    result = mask_row(row, secrets="mask", personal="mask", allowlist=())
    assert isinstance(result, Conversation)
    return result


def arguments_of(row: Any) -> str:
    text: str = row.messages[1]["tool_calls"][0]["function"]["arguments"]
    return text


@pytest.mark.parametrize(
    ("arguments", "after"),
    [
        ('{"to": "ann@example.org"}', {"to": "<e-mail>"}),
        ('{"login": {"password": "tiger7Lily"}}', {"login": {"password": "<secret>"}}),
        ('{"all": ["x", "ann@example.org"], "n": 1}', {"all": ["x", "<e-mail>"], "n": 1}),
        ('{"card": 4111111111111111}', {"card": "<card number>"}),
        ('{"ann@example.org": "admin"}', {"<e-mail>": "admin"}),
        ('{"users": {"ann@example.org": {"n": 1}}}', {"users": {"<e-mail>": {"n": 1}}}),
        ('{"4111111111111111": [true]}', {"<card number>": [True]}),
        ('{"phone": "020 7946 0958", "part": 4711471}', {"phone": "<telephone>", "part": 4711471}),
    ],
)
def test_secrets_in_arguments_are_masked_and_the_arguments_stay_json(
    arguments: str, after: Any
) -> None:
    row = masked(calling(arguments))
    assert json.loads(arguments_of(row)) == after
    assert sum(note.count for note in row.notes) == 1


def test_keys_that_are_masked_alike_stay_apart_and_each_datum_is_counted_once() -> None:
    arguments = {"ann@example.org": "bob@example.org", "cid@example.org": 2, "<e-mail>": 3}
    row = masked(calling(json.dumps(arguments)))
    assert json.loads(arguments_of(row)) == {
        "<e-mail>": "<e-mail>", "<e-mail> 2": 2, "<e-mail> 3": 3
    }  # fmt: skip
    assert [(note.rule, note.count) for note in row.notes] == [("private: e-mail", 3)]


def test_keys_of_results_and_schemas_are_masked() -> None:
    row = calling("{}")
    row.messages[2]["content"] = '{"users": {"bob.k@brixworks.com": {"role": "admin"}}}'
    tools = [{"type": "function", "function": {"name": "mail", "parameters": {"properties": {
        "ann@example.org": {"type": "string"}}}}}]  # fmt: skip
    result = masked(Conversation(row.messages, WHERE, tools=json.dumps(tools)))
    assert json.loads(result.messages[2]["content"]) == {"users": {"<e-mail>": {"role": "admin"}}}
    assert "ann@" not in result.tools
    assert [(note.rule, note.count) for note in result.notes] == [("private: e-mail", 2)]


def test_a_secret_in_a_key_is_counted_once() -> None:
    key = "-----BEGIN PRIVATE KEY-----"
    row = masked(calling(json.dumps({f"{key} a": "b"})))
    assert json.loads(arguments_of(row)) == {"<secret>": "b"}
    assert sum(note.count for note in row.notes) == 1


def test_what_holds_no_secret_is_not_written_anew() -> None:
    row = calling('{ "n":  1.50, "to": "Ann" }', thought="Easy.")
    assert masked(row) == row
    assert clean_row(row) == row


def test_secrets_in_thoughts_results_and_schemas_are_masked() -> None:
    row = calling("{}", thought="It is ann@example.org.")
    row.messages[2]["content"] = '{"owner": "ann@example.org", "ids": [1]}'
    tools = [{"type": "function", "function": {"name": "mail", "description": "ann@example.org"}}]
    result = masked(Conversation(row.messages, WHERE, tools=json.dumps(tools)))
    assert result.messages[1]["reasoning_content"] == "It is <e-mail>."
    assert json.loads(result.messages[2]["content"]) == {"owner": "<e-mail>", "ids": [1]}
    assert json.loads(result.tools)[0]["function"]["description"] == "<e-mail>"
    assert result.messages[2]["tool_call_id"] == "call_1"
    assert result.messages[3].get("weight") == 0
    assert [(note.rule, note.count) for note in result.notes] == [("private: e-mail", 3)]


def test_every_text_is_cleaned_and_calls_may_be_without_one() -> None:
    row = clean_row(calling('{"text": "caf\\u0065\\u0301\\u0007 "}', thought="So.  \r\n"))
    assert isinstance(row, Conversation)
    assert arguments_of(row) == '{"text": "caf\u00e9"}'
    assert row.messages[1]["reasoning_content"] == "So.\n"
    empty = Conversation((row.messages[0], Message(role="assistant", content="\u200b")), WHERE)
    assert isinstance(clean_row(empty), BadRow)
