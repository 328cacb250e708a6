"""Calls that answers write as text, with tools that the system message lists, or speaks of."""

import json
from pathlib import Path
from typing import Any

import pytest

from ftdist.library.schema import Conversation
from tests.support.documents.read_rows import notes, read_row, turns

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_torque",
            "parameters": {"type": "object", "properties": {"bolt": {"type": "string"}}},
        },
    }
]
ARGUMENTS = '{"bolt": "M8"}'
CALLING = f'<tool_call>{{"name": "get_torque", "arguments": {ARGUMENTS}}}</tool_call>'


def answered(system: str, answer: str) -> dict[str, Any]:
    messages = [{"role": "system", "content": system},
                {"role": "user", "content": "Torque of M8?"},
                {"role": "assistant", "content": answer}]  # fmt: skip
    return {"messages": messages, "tools": TOOLS}


def test_calls_written_as_text_stay_text_and_tools_are_not_given_twice(tmp_path: Path) -> None:
    text = f'<tool_call>\n{{"name": "get_torque", "arguments": {ARGUMENTS}}}\n</tool_call>'
    row = {
        "conversations": [
            {"from": "system", "value": f"<tools>{json.dumps(TOOLS)}</tools>"},
            {"from": "human", "value": "Torque of M8?"},
            {"from": "gpt", "value": text},
            {"from": "tool", "value": "<tool_response>25 Nm</tool_response>"},
            {"from": "gpt", "value": "25 Nm."},
        ],
        "tools": json.dumps(TOOLS),
    }
    read = read_row(tmp_path, row)
    assert isinstance(read, Conversation)
    assert turns(read)[2] == ("assistant", text)
    assert read.tools == ""
    assert [rule for rule, _ in notes(read)] == ["tools that the system message lists not given "
                                                 "twice"]  # fmt: skip


@pytest.mark.parametrize("listed", [json.dumps(TOOLS, indent=1), str(TOOLS)])
@pytest.mark.parametrize("answer", [CALLING, f"Action: get_torque\nAction Input: {ARGUMENTS}"])
def test_tools_that_the_system_message_lists_and_answers_call_in_text_are_not_given_again(
    tmp_path: Path, listed: str, answer: str
) -> None:
    read = read_row(tmp_path, answered(f"Call these: {listed}", answer))
    assert isinstance(read, Conversation)
    assert read.tools == ""


@pytest.mark.parametrize(
    ("system", "answer"),
    [
        ('Use "get_torque" for bolts.', "Hello"),
        ('Use "get_torque" for bolts.', CALLING),
        (f"Call it as {CALLING}.", CALLING),
        (f"<tools>{json.dumps(TOOLS)}</tools>", "Hello"),
        (f"<tools>{json.dumps(TOOLS)}</tools>", "```\nprint(1)\n```"),
        (json.dumps(TOOLS).replace("get_torque", "get_torque_of_nuts"), CALLING),
    ],
)
def test_tools_stay_if_the_system_message_only_speaks_of_them_or_no_answer_calls_in_text(
    tmp_path: Path, system: str, answer: str
) -> None:
    read = read_row(tmp_path, answered(system, answer))
    assert isinstance(read, Conversation)
    assert json.loads(read.tools) == TOOLS
    assert read.notes == ()
