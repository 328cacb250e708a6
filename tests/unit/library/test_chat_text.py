"""What counts as the text of a conversation, and as another sample of the same words."""

import numpy as np

from ftdist.data.messages import FunctionCall, Message, ToolCall
from ftdist.library.chat_text import conversation_text
from ftdist.library.dedup.critical_words import critical_row_hash
from ftdist.library.dedup.signatures import signatures
from ftdist.library.schema import Conversation, Location
from ftdist.library.stages.read_shard import dedup_text, row_text

WHERE = Location("a.jsonl", 1)
ASKED = Message(role="user", content="Torque of M8?")


def calling(arguments: str, *, tools: str = "", number: str = "a") -> Conversation:
    function = FunctionCall(name="get_torque", arguments=arguments)
    call = ToolCall(type="function", function=function, id=number)
    answer = Message(role="assistant", content="", tool_calls=[call])
    result = Message(role="tool", content="25 Nm")
    last = Message(role="assistant", content="It is 25 Nm.")
    return Conversation((ASKED, answer, result, last), WHERE, tools=tools)


def test_calls_and_thoughts_are_text_and_ids_are_not() -> None:
    row = calling('{"bolt": "M8"}')
    row.messages[1]["reasoning_content"] = "Look it up."
    assert conversation_text(row.messages) == (
        'Torque of M8?\nLook it up.\nget_torque {"bolt": "M8"}\n25 Nm\nIt is 25 Nm.'
    )
    assert conversation_text(row.messages, without=("tool", "user")) == (
        'Look it up.\nget_torque {"bolt": "M8"}\nIt is 25 Nm.'
    )


def test_conversations_are_duplicates_if_calls_tools_and_weights_agree() -> None:
    rows = [
        calling('{"bolt": "M8"}'),
        calling('{"bolt": "M8"}', number="b"),
        calling('{"bolt": "M6"}'),
        calling('{"bolt": "M8"}', tools='[{"type": "function", "function": {"name": "f"}}]'),
        calling('{"bolt": "M8"}'),
    ]
    rows[-1].messages[1]["weight"] = 0
    exact = signatures(map(dedup_text, rows)).exact
    critical = [critical_row_hash(row, text=row_text(row)) for row in rows]
    for hashes in (exact, np.array(critical, dtype=np.uint64)):
        assert hashes[0] == hashes[1]
        assert len(set(hashes.tolist())) == 4
