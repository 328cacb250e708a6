"""A template that leaves something out is refused, even if the same words stand elsewhere."""

import json
from typing import Any

import pytest

from ftdist.data.chat_encoder import ChatEncoder
from ftdist.data.messages import Chat, Message
from ftdist.errors import DataError
from tests.support.models.family_chats import (
    BRIEF,
    CHATS,
    COLD,
    IM,
    OSLO,
    TOOLS,
    WARM,
    answer,
    call,
    chatml,
    result,
    user,
)
from tests.support.models.tool_families import encoder_of, family_tokenizer, learned

LEAVES_OUT = "changes or leaves out a part of the assistant's text in message 2"


def changed(family: str, *changes: tuple[str, str]) -> ChatEncoder:
    """An encoder with other words in the family's template."""
    tokenizer = family_tokenizer(family)
    own = template = tokenizer.chat_template
    for old, new in changes:
        assert old in template
        template = template.replace(old, new)
    tokenizer.chat_template = template
    try:
        return ChatEncoder(tokenizer, system_prompt=None)
    finally:
        tokenizer.chat_template = own


def called(name: str, number: int = 1) -> Any:
    made: Any = call("Oslo", number)
    return made | {"function": made["function"] | {"name": name}}


def two_tools(first: str, second: str) -> str:
    return json.dumps(
        [
            {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}
            for name in (first, second)
        ]
    )


FIRST_CALL = ("in m.tool_calls or []", "in (m.tool_calls or [])[:1]")
NO_RESULT = ("m.content + '\n</tool_response>'", "'\n</tool_response>'")


def test_a_call_that_a_thought_names_is_missed() -> None:
    both = answer(
        reasoning_content="I need get_weather and get_time.",
        tool_calls=[called("get_weather"), called("get_time", 2)],
    )
    with pytest.raises(DataError, match="leaves out the call of get_time in message 2"):
        encoder_of("harmony").encode(Chat([WARM, both], two_tools("get_weather", "get_time")))


def test_a_call_whose_name_begins_another_one_is_missed() -> None:
    both = answer(tool_calls=[called("search_web"), called("search", 2)])
    chat = Chat([WARM, both], two_tools("search_web", "search"))
    assert encoder_of("qwen2.5").encode(chat).loss_tokens > 0
    with pytest.raises(DataError, match="leaves out the call of search in message 2"):
        changed("qwen2.5", FIRST_CALL).encode(chat)


def test_arguments_that_a_template_leaves_out_are_missed() -> None:
    written = "{{ call.arguments if call.arguments is string else call.arguments | tojson }}"
    encoder = changed("qwen2.5", (written, "{{ '{}' }}"))
    with pytest.raises(DataError, match="leaves out the call of get_weather in message 2"):
        encoder.encode(Chat([WARM, OSLO], TOOLS))


def test_a_text_that_a_call_repeats_is_missed() -> None:
    chat = Chat([WARM, answer("Oslo", tool_calls=[call("Oslo")])], TOOLS)
    assert learned("qwen2.5", encoder_of("qwen2.5").encode(chat)) == [f"Oslo\n{chatml('Oslo')}{IM}"]
    with pytest.raises(DataError, match=LEAVES_OUT):
        encoder_of("mistral").encode(chat)


@pytest.mark.parametrize("fields", [{"reasoning_content": "cold"}, {}])
def test_a_thought_that_the_text_repeats_is_missed(fields: dict[str, str]) -> None:
    text = "It is cold." if fields else "<think>\ncold\n</think>\n\nIt is cold."
    encoder = changed("qwen2.5", ("set c = m.content", "set c = m.content.split('</think>')[-1]"))
    with pytest.raises(DataError, match=LEAVES_OUT):
        encoder.encode(Chat([WARM, answer(text, **fields)]))


def test_a_result_that_its_call_repeats_is_missed() -> None:
    chat = Chat([WARM, OSLO, result("Oslo"), answer("It is cold.")], TOOLS)
    assert encoder_of("qwen2.5").encode(chat).loss_tokens > 0
    with pytest.raises(DataError, match="leaves out the result of a tool in message 3"):
        changed("qwen2.5", NO_RESULT).encode(chat)


def test_tools_that_a_question_names_are_missed() -> None:
    encoder = changed(
        "qwen2.5",
        ("{% if tools or asked", "{% if messages[0].role != 'system' %}{% set tools = [] %}"
         "{% endif %}{% if tools or asked"),
    )  # fmt: skip
    asked: list[Message] = [user("May I use get_weather?"), answer("Yes.")]
    assert encoder.encode(Chat([BRIEF, *asked], TOOLS)).loss_tokens > 0
    with pytest.raises(DataError, match=r"does not write the tools \(get_weather\)"):
        encoder.encode(Chat(asked, TOOLS))


def test_tools_that_are_called_as_a_role_are_missed() -> None:
    with pytest.raises(DataError, match=r"does not write the tools \(user, turn\)"):
        encoder_of("gemma").encode(Chat([WARM, answer("No.")], two_tools("user", "turn")))


def test_what_a_template_writes_only_for_such_a_conversation_is_there() -> None:
    only_brief = (
        "in m.tool_calls or []",
        "in (m.tool_calls or [] if asked == 'Be brief.' else [])",
    )
    chat = Chat([BRIEF, WARM, OSLO, COLD, answer("It is cold.")], TOOLS)
    assert changed("qwen2.5", only_brief).encode(chat) == encoder_of("qwen2.5").encode(chat)
    with pytest.raises(DataError, match="leaves out the call of get_weather in message 2"):
        changed("qwen2.5", only_brief).encode(CHATS["tools"])


@pytest.mark.parametrize("last", ["", "{{ '<|im_start|>' if m.tool_calls else '' }}"])
@pytest.mark.parametrize("text", ["", "I look."])
def test_a_conversation_that_ends_in_a_call_needs_an_end_of_turn(text: str, last: str) -> None:
    encoder = changed("qwen2.5", ("{{ '<|im_end|>' }}{{ '\n' }}", last))
    with pytest.raises(DataError, match="writes no end of turn"):
        encoder.encode(Chat([WARM, answer(text, tool_calls=[call("Oslo")])], TOOLS))


def test_calls_may_not_lack_the_end_that_texts_have() -> None:
    chat = Chat([WARM, OSLO], TOOLS)
    unended = ("'<|im_end|>' }}{{ '\n'", "'' if m.tool_calls else '<|im_end|>\n'")
    with pytest.raises(DataError, match="writes no end of turn"):
        changed("qwen2.5", unended).encode(chat)
    plain = changed("qwen2.5", ("'<|im_end|>' }}{{ '\n'", "'\nOVER\n'"))
    assert learned("qwen2.5", plain.encode(chat)) == [f"{chatml('Oslo')}\nOVER\n"]


def test_a_name_may_be_written_within_the_id_of_its_call() -> None:
    by_id = (
        ("{% set call = call.function %}", "{% set id = call.id %}{% set call = call.function %}"),
        ("+ call.name +", "+ id +"),
    )
    named: Any = call("Oslo") | {"id": "functions.get_weather:0"}
    tokens = changed("qwen2.5", *by_id).encode(Chat([WARM, answer(tool_calls=[named])], TOOLS))
    assert learned("qwen2.5", tokens) == [
        chatml("Oslo").replace("get_weather", "functions.get_weather:0") + IM
    ]
    with pytest.raises(DataError, match="leaves out the call of get_weather in message 2"):
        changed("qwen2.5", *by_id).encode(CHATS["tools"])
