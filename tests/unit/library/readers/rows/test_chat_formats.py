"""Chat formats, and rows that cannot be used."""

import json
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from ftdist.data.messages import Message
from ftdist.library.readers.rows.chat_formats import read_conversations
from ftdist.library.schema import BadRow, Conversation, Passage, Row

RESET = [("user", "Reset?"), ("assistant", "Hold it.")]


def read(path: Path) -> list[Row]:
    return list(read_conversations(path, name=path.name))


def read_row(tmp_path: Path, row: Any) -> Row:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(row) + "\n")
    [only] = read(path)
    return only


def said(row: Row) -> list[tuple[str, str]]:
    assert isinstance(row, Conversation), row
    return [(message["role"], message["content"]) for message in row.messages]


def openai(*messages: tuple[str, Any], **more: Any) -> dict[str, Any]:
    return {"messages": [{"role": r, "content": c} for r, c in messages], **more}


@pytest.mark.parametrize(
    "row",
    [
        openai(*RESET),
        openai(("user", [{"type": "text", "text": "Reset?"}]), RESET[1]),
        {
            "conversations": [
                {"from": "human", "value": "Reset?"},
                {"from": "gpt", "value": "Hold it."},
            ]
        },
        {"instruction": "Reset?", "input": "", "output": "Hold it."},
        {"instruction": "Reset?", "output": "Hold it.", "text": "Reset? Hold it."},
        {"question": "Reset?", "answer": "Hold it.", "source": "manual", "messages": None},
        {"q": "Reset?", "a": "Hold it.", "id": 7},
    ],
)
def test_every_known_format_gives_the_same_conversation(tmp_path: Path, row: Any) -> None:
    assert said(read_row(tmp_path, row)) == RESET


def test_alpaca_s_input_follows_its_instruction(tmp_path: Path) -> None:
    row = {"instruction": "Shorten.", "input": "A long text.", "output": "Text."}
    assert said(read_row(tmp_path, row))[0] == ("user", "Shorten.\n\nA long text.")


def test_alpaca_s_history_comes_first(tmp_path: Path) -> None:
    row = {"instruction": "And?", "output": "Wait.", "history": [["Reset?", "Hold it."]]}
    assert said(read_row(tmp_path, row)) == [*RESET, ("user", "And?"), ("assistant", "Wait.")]


def test_system_key_becomes_the_first_message(tmp_path: Path) -> None:
    row = {"conversations": openai(*RESET)["messages"], "system": "Be brief."}
    assert said(read_row(tmp_path, row)) == [("system", "Be brief."), *RESET]


def test_a_row_of_text_is_a_passage(tmp_path: Path) -> None:
    passage = read_row(tmp_path, {"text": "The widget is red."})
    assert isinstance(passage, Passage)
    assert passage.text == "The widget is red."


BAD: list[tuple[Any, str]] = [
    ([1, 2], "is of type list, not an object with keys"),
    ({"prompt": "x"}, "its keys: prompt"),
    (openai(), "has no messages"),
    (openai(("user", "Reset?")), "has no answer: no message has the role assistant"),
    (openai(("assistant", "Hello"), *RESET), "begins with the assistant, so there is nothing to"),
    (openai(("system", "Be brief"), ("assistant", "Hi")), "begins with the assistant"),
    (openai(*RESET, ("user", "And?")), "has no answer to its last message (role user)"),
    (openai(("user", "Reset?"), ("assistant", "  ")), "has no text in message 2 (assistant)"),
    (openai(("user", "Reset?"), ("assistant", None)), "has no text in message 2 (assistant)"),
    (openai(("user", ""), ("assistant", "Hold it.")), "has no text in message 1 (user)"),
    (
        openai(("user", 7), ("assistant", "Hold it.")),
        "has type int instead of text in message 1 (user)",
    ),
    (openai(("critic", "7"), *RESET), "has a message 1 of role 'critic'"),
    (
        openai(("user", [{"type": "image"}]), RESET[1]),
        "contains a part of type 'image' in message 1 (user), and only text is supported",
    ),
    ({"question": "Reset?", "answer": None}, "has none of the known formats"),
    ({"question": "Reset?", "answer": ""}, "has no text in the answer"),
    ({"text": " "}, "has no text in the text"),
    ({"question": "\ud83d", "answer": "Hold it."}, "contains half a character"),
    (
        {
            "messages": [
                {"role": "user", "content": "Reset?"},
                {"role": "assistant", "content": "x", "weight": 0},
            ]
        },
        "has only answers that are not to be learned (weight 0)",
    ),
]


@pytest.mark.parametrize(("row", "reason"), BAD, ids=[reason for _, reason in BAD])
def test_bad_row_has_its_location_and_reason(tmp_path: Path, row: Any, reason: str) -> None:
    bad = read_row(tmp_path, row)
    assert isinstance(bad, BadRow)
    assert reason in bad.reason
    assert str(bad.location) == "rows.jsonl, row 1"


def test_jsonl_rows_are_named_by_their_line(tmp_path: Path) -> None:
    path = tmp_path / "faq.jsonl"
    good = json.dumps(openai(*RESET)).encode()
    path.write_bytes(b"\xef\xbb\xbf" + good + b"\n\n{broken\n" + good + b"\n\xff\xfe\n" + good)
    rows = read(path)
    assert [str(row.location) for row in rows] == [f"faq.jsonl, row {n}" for n in (1, 3, 4, 5, 6)]
    assert [type(row) for row in rows] == [Conversation, BadRow, Conversation, BadRow, Conversation]
    assert isinstance(rows[1], BadRow)
    assert rows[1].reason.startswith("is not valid JSON (Expecting property name")
    assert isinstance(rows[3], BadRow)
    assert rows[3].reason == "is not UTF-8 text (byte 1)"


@pytest.mark.parametrize(
    "value",
    [[openai(*RESET), openai(*RESET)], {"version": 1, "data": [openai(*RESET), openai(*RESET)]}],
)
def test_json_holds_a_list_of_rows(tmp_path: Path, value: Any) -> None:
    path = tmp_path / "faq.json"
    path.write_text(json.dumps(value))
    assert [said(row) for row in read(path)] == [RESET, RESET]


def test_json_of_a_single_conversation_is_one_row(tmp_path: Path) -> None:
    path = tmp_path / "faq.json"
    path.write_text(json.dumps(openai(*RESET)))
    assert [said(row) for row in read(path)] == [RESET]


def test_parquet_rows_are_numbered_from_one(tmp_path: Path) -> None:
    path = tmp_path / "faq.parquet"
    rows = [openai(*RESET)] * 300 + [openai(("user", "Reset?"))]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    found = read(path)
    assert [said(row) for row in found[:300]] == [RESET] * 300
    assert isinstance(found[300], BadRow)
    assert str(found[300].location) == "faq.parquet, row 301"


def test_a_damaged_parquet_file_is_a_bad_row(tmp_path: Path) -> None:
    path = tmp_path / "faq.parquet"
    path.write_bytes(b"PAR1 this is none")
    [bad] = read(path)
    assert isinstance(bad, BadRow)
    assert bad.reason.startswith("cannot be read as Parquet")


def test_message_text_is_not_changed(tmp_path: Path) -> None:
    text = "  <|im_start|>\tA\u00e9\n\n"
    row = read_row(tmp_path, openai(("user", text), ("assistant", text)))
    assert isinstance(row, Conversation)
    assert row.messages[0] == Message(role="user", content=text)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (
            '{"instruction": "a", "output": "b", "history": [["q"]]}',
            "has a history that is not a list",
        ),
        ('{"instruction": "a", "output": "b", "history": 5}', "has a history that is not a list"),
        ('{"n": ' + "1" * 5000 + "}", "is not JSON that can be read (Exceeds the limit"),
        ("[" * 100_000, "is not JSON that can be read (maximum recursion"),
    ],
)
def test_row_that_the_parser_cannot_read_is_a_bad_row(
    tmp_path: Path, line: str, reason: str
) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text(line + "\n")
    (row,) = read_conversations(file, name="a.jsonl")
    assert isinstance(row, BadRow)
    assert row.reason.startswith(reason)
    assert str(row.location) == "a.jsonl, row 1"
