"""Chats with tools, in the forms in which files hold them: each gives the same conversation."""

import json
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from ftdist.library.readers.rows.chat_formats import read_conversations
from ftdist.library.schema import Conversation, Row
from tests.support.documents.read_rows import exchange, read_row, reason, turns

FUNCTION = {
    "name": "get_torque",
    "description": "The torque of a bolt.",
    "parameters": {"type": "object", "properties": {"bolt": {"type": "string"}}},
}
TOOLS = [{"type": "function", "function": FUNCTION}]
ARGUMENTS = '{"bolt": "M8"}'
CALL = {"type": "function", "function": {"name": "get_torque", "arguments": ARGUMENTS}}

OPENAI = {
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Torque of M8?"},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "call_1", **CALL}]},
        {"role": "tool", "tool_call_id": "call_1", "content": "25 Nm"},
        {"role": "assistant", "content": "It is 25 Nm."},
    ],
    "tools": TOOLS,
    "parallel_tool_calls": False,
}
SHAREGPT = {
    "conversations": [
        {"from": "human", "value": "Torque of M8?"},
        {"from": "function_call", "value": json.dumps({"name": "get_torque",
                                                       "arguments": {"bolt": "M8"}})},
        {"from": "observation", "value": "25 Nm"},
        {"from": "gpt", "value": "It is 25 Nm."},
    ],
    "system": "Be brief.",
    "tools": json.dumps([FUNCTION]),
}  # fmt: skip


def chat(*messages: dict[str, Any], tools: Any = TOOLS) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": "Torque of M8?"}, *messages], "tools": tools}


def calling(*calls: Any, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": "", "tool_calls": list(calls), **more}


def result(**more: Any) -> dict[str, Any]:
    return {"role": "tool", "content": "25 Nm", **more}


def good(row: Row) -> Conversation:
    assert isinstance(row, Conversation), row
    return row


def test_openai_s_tools_are_read_as_its_documentation_writes_them(tmp_path: Path) -> None:
    row = good(read_row(tmp_path, OPENAI))
    assert row.messages == (
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Torque of M8?"},
        {"role": "assistant", "content": "", "tool_calls": [
            {"type": "function",
             "function": {"name": "get_torque", "arguments": '{"bolt": "M8"}'}, "id": "call_1"}]},
        {"role": "tool", "content": "25 Nm", "tool_call_id": "call_1"},
        {"role": "assistant", "content": "It is 25 Nm."},
    )  # fmt: skip
    assert json.loads(row.tools) == TOOLS
    assert row.notes == ()


def test_sharegpt_s_tools_give_openai_s_conversation(tmp_path: Path) -> None:
    row = good(read_row(tmp_path, SHAREGPT))
    assert [message["role"] for message in row.messages] == [
        "system", "user", "assistant", "tool", "assistant"
    ]  # fmt: skip
    assert row.messages[2].get("tool_calls") == [CALL]
    assert json.loads(row.tools) == TOOLS
    assert row.notes == ()


@pytest.mark.parametrize(
    "message",
    [
        calling(CALL),
        calling({"function": {"name": "get_torque", "arguments": {"bolt": "M8"}}}),
        calling({"name": "get_torque", "arguments": {"bolt": "M8"}}),
        {"role": "assistant", "tool_calls": [CALL]},
        {"role": "assistant", "content": None, "tool_calls": json.dumps([CALL])},
        {"role": "assistant", "content": "",
         "function_call": {"name": "get_torque", "arguments": ARGUMENTS}},
        {"from": "tool_call", "value": json.dumps([CALL["function"]])},
    ],
)  # fmt: skip
def test_a_call_is_the_same_in_every_form(tmp_path: Path, message: dict[str, Any]) -> None:
    row = good(read_row(tmp_path, chat(message)))
    assert row.messages[1] == {"role": "assistant", "content": "", "tool_calls": [CALL]}
    assert row.notes == ()


BLANK = {"type": "text", "text": ""}


@pytest.mark.parametrize(
    "content", ["", None, [BLANK], [BLANK, BLANK], [""], {"content_type": "text", "parts": [""]}]
)
def test_no_text_is_the_same_in_every_form(tmp_path: Path, content: Any) -> None:
    result = {"role": "tool", "content": content if not isinstance(content, dict) else ""}
    row = chat(calling(CALL, content=content), result, {"role": "assistant", "content": "25 Nm."})
    row["messages"].insert(0, {"role": "system", "content": content})
    read = good(read_row(tmp_path, row))
    blank = '[""]' if content == [""] else ""  # a list of texts is a value of a tool's own
    assert [message["content"] for message in read.messages] == [
        "", "Torque of M8?", "", blank, "25 Nm."
    ]  # fmt: skip
    assert read.notes == ()


def test_blank_parts_beside_another_text_are_no_second_text(tmp_path: Path) -> None:
    row = chat({"role": "assistant", "content": [BLANK], "refusal": "I cannot know."})
    assert turns(read_row(tmp_path, row))[1] == ("assistant", "I cannot know.")


def test_a_call_in_parts_is_a_call(tmp_path: Path) -> None:
    text = json.dumps([CALL["function"]])
    row = chat({"role": "tool_call", "content": [{"type": "text", "text": text}]})
    assert good(read_row(tmp_path, row)).messages[1]["tool_calls"] == [CALL]


@pytest.mark.parametrize("message", [{"role": "system"}, {"role": "system", "content": " "}])
def test_instructions_without_a_text_are_refused(tmp_path: Path, message: Any) -> None:
    row = {"messages": [message, *exchange("Q?", "A.")]}
    assert reason(read_row(tmp_path, row)) == "has no text in message 1 (system)"


@pytest.mark.parametrize(
    "tools",
    [
        TOOLS,
        [FUNCTION],
        FUNCTION,
        json.dumps(TOOLS),
        [json.dumps(FUNCTION)],
        [{"type": "function", **FUNCTION}],
        [{"function": {**FUNCTION, "parameters": json.dumps(FUNCTION["parameters"])}}],
    ],
)
def test_tools_are_the_same_in_every_form(tmp_path: Path, tools: Any) -> None:
    assert json.loads(good(read_row(tmp_path, chat(calling(CALL), tools=tools))).tools) == TOOLS
    row = {"instruction": "Torque?", "output": "Which bolt?", "functions": tools}
    assert json.loads(good(read_row(tmp_path, row)).tools) == TOOLS


def test_answers_that_are_calls_are_called(tmp_path: Path) -> None:
    row = {
        "id": 1,
        "query": "Torque of M8 and M6?",
        "tools": json.dumps([FUNCTION]),
        "answers": json.dumps(
            [{"name": "get_torque", "arguments": {"bolt": bolt}} for bolt in ("M8", "M6")]
        ),
    }
    read = good(read_row(tmp_path, row))
    assert [call["function"]["arguments"] for call in read.messages[1]["tool_calls"]] == [
        '{"bolt": "M8"}', '{"bolt": "M6"}'
    ]  # fmt: skip
    assert read.notes == ()
    # Without tools the same answer is a text.
    del row["tools"]
    assert turns(read_row(tmp_path, row))[1] == ("assistant", row["answers"])


def test_nulls_of_tables_are_no_arguments(tmp_path: Path) -> None:
    def asked(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        function = {"name": name, "parameters": {"properties": {key: {"type": "string"}
                                                                for key in arguments}}}  # fmt: skip
        answer = calling({"function": {"name": name, "arguments": arguments}})
        return {"messages": [{"role": "user", "content": "Q?"}, answer], "tools": [function]}

    path = tmp_path / "rows.parquet"
    rows = [asked("a", {"x": "1"}), asked("b", {"y": "2"})]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    for row, want in zip(read_conversations(path, name="rows"), ("x", "y"), strict=True):
        arguments = good(row).messages[1]["tool_calls"][0]["function"]["arguments"]
        assert list(json.loads(arguments)) == [want]
        [tool] = json.loads(good(row).tools)
        assert list(tool["function"]["parameters"]["properties"]) == [want]


@pytest.mark.parametrize("key", ["reasoning_content", "reasoning", "thinking"])
def test_a_thought_under_a_key_is_kept_and_one_in_the_text_stays_there(
    tmp_path: Path, key: str
) -> None:
    messages = exchange("Q1?", "A1.", "Q2?", "<think>Hm.</think>A2.")
    messages[1][key] = "Easy."
    read = good(read_row(tmp_path, {"messages": messages}))
    assert read.messages[1] == {
        "role": "assistant", "content": "A1.", "reasoning_content": "Easy."
    }  # fmt: skip
    assert read.messages[3] == {"role": "assistant", "content": "<think>Hm.</think>A2."}
    assert read.notes == ()


def test_a_developer_stays_one_and_weights_of_openai_and_mistral_are_kept(tmp_path: Path) -> None:
    messages = [{"role": "developer", "content": "Be brief."}, *exchange("Q?", "A.", "Q?", "B.")]
    messages[2]["weight"] = 0
    messages[4]["weight"] = 1
    read = good(read_row(tmp_path, {"messages": messages}))
    assert read.messages[0] == {"role": "developer", "content": "Be brief."}
    assert read.messages[2] == {"role": "assistant", "content": "A.", "weight": 0}
    assert read.messages[4] == {"role": "assistant", "content": "B."}


def test_a_result_may_be_nothing_or_another_value_than_text(tmp_path: Path) -> None:
    parts = [{"type": "text", "text": "25"}]
    values = {"": "", "25": "25", '{"Nm": 25}': {"Nm": 25}, "[1, 2]": [1, 2]}
    for text, content in [*values.items(), ("", None), ("25", 25), ("25", parts)]:
        messages = (calling(CALL), result() | {"content": content}, exchange("", "Ok.")[1])
        assert turns(read_row(tmp_path, chat(*messages)))[2] == ("tool", text)


ANSWER = {"role": "assistant", "content": "It is 25 Nm."}
OTHER = {"function": {"name": "get_mass", "arguments": "{}"}}


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (chat(result(), ANSWER), "has a tool's result in message 2, which no call asks for"),
        (chat(ANSWER, result(), ANSWER), "has a tool's result in message 3, and the answer before"),
        (chat(calling({"id": "a", **CALL}), result(tool_call_id="b"), ANSWER),
         "has a result of the call b in message 3, and no call before it has that id"),
        (chat(calling(OTHER)), "calls get_mass in message 2, and its tools are get_torque"),
        (chat(calling({"function": {"name": "get_torque", "arguments": '{"bolt": M8}'}})),
         "calls get_torque with arguments that are not JSON in tool_calls in message 2"),
        (chat(calling({"function": {"name": "get_torque", "arguments": "[1]"}})),
         "calls get_torque with arguments of type list, not an object, in tool_calls in message 2"),
        (chat(calling({"function": {"name": "get_torque", "arguments": '{"bolt": NaN}'}})),
         "calls get_torque with arguments that are not JSON"),
        (chat(calling({"function": {"name": "get_torque", "arguments": '{"b": "\\ud800"}'}})),
         "contains half a character (a lone surrogate) in the arguments of get_torque"),
        (chat(calling(1)), "has no name and arguments in tool_calls in message 2"),
        (chat(calling({"type": "custom", "name": "x", "arguments": {}})),
         "has a call of type custom in tool_calls in message 2, not of a function"),
        (chat({"from": "function_call", "value": "get_torque(M8)"}),
         "has no name and arguments in the call in message 2"),
        (chat({"role": "assistant", "content": ""}), "has no text in message 2 (assistant)"),
        (chat(calling(CALL), result()), "has no answer to its last message (role tool)"),
        ({"messages": [{"role": "user", "content": "Q?", "tool_calls": [CALL]}, ANSWER]},
         "has a call in message 1, which is of role 'user'"),
        (chat(ANSWER, tools="a hammer"), "has tools that are no list of function schemas"),
        (chat(ANSWER, tools=[{"type": "web_search"}]), "has a tool of type web_search, and only"),
        (chat(ANSWER, tools=[FUNCTION, FUNCTION]), "has two tools of the name get_torque"),
        (chat(ANSWER) | {"functions": [{"name": "f"}]}, "has tools and functions, which differ"),
    ],
)  # fmt: skip
def test_calls_that_would_teach_nonsense_are_refused(tmp_path: Path, row: Any, why: str) -> None:
    assert reason(read_row(tmp_path, row)).startswith(why)


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        (chat(calling(CALL), ANSWER), "call without a result"),
        (chat(calling(CALL), result(), ANSWER, tools=None),
         "call in a conversation that defines no tools"),
        (chat(calling(OTHER, weight=0), result(), ANSWER),
         "call of a tool that is not among the row's, not learned"),
        (chat(calling({"name": "get_torque", "arguments": json.dumps(ARGUMENTS)})),
         "arguments that are JSON in JSON read as their object"),
        (chat(calling(CALL, CALL)) | {"parallel_tool_calls": False},
         "several calls at once, although the row says parallel_tool_calls false"),
    ],
)  # fmt: skip
def test_what_is_merely_odd_about_calls_is_noted(tmp_path: Path, row: Any, rule: str) -> None:
    read = good(read_row(tmp_path, row))
    assert [note.rule for note in read.notes] == [rule]
