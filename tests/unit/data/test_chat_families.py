"""What is learned of each kind of conversation under the templates of the families."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftdist.data.chat_encoder import ChatEncoder
from ftdist.data.messages import Chat, Message
from ftdist.errors import DataError
from tests.support.models.family_chats import (
    CHATS,
    LEARNED,
    TOOLS,
    WARM,
    answer,
    call,
    result,
    user,
)
from tests.support.models.tool_families import FAMILIES, encoder_of, family_tokenizer, learned

MARKED = [name for name, family in FAMILIES.items() if "generation" in family.template]


def test_each_family_has_each_kind_of_conversation() -> None:
    assert LEARNED.keys() == FAMILIES.keys()
    assert all(expected.keys() == CHATS.keys() for expected in LEARNED.values())


@pytest.mark.parametrize("name", CHATS)
@pytest.mark.parametrize("family", FAMILIES)
def test_what_the_assistant_writes_is_learned_and_nothing_else(family: str, name: str) -> None:
    chat, expected = CHATS[name], LEARNED[family][name]
    encoder = encoder_of(family)
    if isinstance(expected, str):
        with pytest.raises(DataError, match=expected):
            encoder.encode(chat)
        return
    tokens = encoder.encode(chat)
    assert learned(family, tokens) == expected
    starts = [at for at, chosen in enumerate(tokens.loss) if chosen and not tokens.loss[at - 1]]
    prompts = [
        encoder.prompt(Chat(chat.messages[:turn], chat.tools))
        for turn, message in enumerate(chat.messages)
        if message["role"] == "assistant"
    ]
    for start in starts:
        assert tokens.input_ids[:start] in prompts


@pytest.mark.parametrize(
    "name", ["plain", "system", "tools", "two calls", "thought", "thoughts and tools"]
)
@pytest.mark.parametrize("family", ["qwen3", "qwen2.5", "granite", "llama3"])
def test_ids_are_those_of_apply_chat_template(family: str, name: str) -> None:
    chat = CHATS[name]
    if isinstance(LEARNED[family][name], str):
        return
    messages = []
    for message in chat.messages:
        own: dict[str, Any] = {**message}
        if calls := own.get("tool_calls"):
            own["tool_calls"] = [
                {**each, "function": {**each["function"], "arguments": {"city": city}}}
                for each, city in zip(calls, ("Oslo", "Rome"), strict=False)
            ]
        if family != "qwen3" and "reasoning_content" in own:
            content = f"\n\n{own['content']}" if own["content"] else ""
            own["content"] = f"<think>\n{own['reasoning_content']}\n</think>{content}"
        messages.append(own)
    tools = json.loads(chat.tools) if chat.tools else None
    ids = family_tokenizer(family).apply_chat_template(
        messages, tools=tools, tokenize=True, return_dict=False
    )
    assert encoder_of(family).encode(chat).input_ids == ids


@pytest.mark.parametrize("name", CHATS)
@pytest.mark.parametrize("family", MARKED)
def test_marks_of_generated_text_give_the_same_mask(family: str, name: str) -> None:
    [derived] = encoder_of(family).encode_many([CHATS[name]])
    [marked] = encoder_of(family, marked=True).encode_many([CHATS[name]])
    if isinstance(derived, DataError):
        assert isinstance(marked, DataError)
        assert marked.problem == derived.problem
        return
    assert derived == marked


def test_marks_that_leave_out_calls_are_refused() -> None:
    tokenizer = family_tokenizer("granite", marked=True)
    whole = tokenizer.chat_template
    moved = "{% generation %}{{ c }}{% endgeneration %}"
    tokenizer.chat_template = (
        whole.replace("{% endgeneration %}", "").replace("{% generation %}{{ c }}", moved)
    )  # fmt: skip
    encoder = ChatEncoder(tokenizer, system_prompt=None)
    tokenizer.chat_template = whole
    assert encoder.encode(CHATS["plain"]).loss_tokens > 0
    with pytest.raises(DataError, match="part of message 2 out of what it marks as generated"):
        encoder.encode(CHATS["tools"])


def test_answers_that_lost_a_thought_are_counted() -> None:
    left_out = {
        name: encoder_of("qwen3").encode(CHATS[name]).left_out
        for name in ("thought", "two thoughts", "two questions, thoughts and tools")
    }
    # The first answer to the first question, and the one behind its call.
    assert left_out == {
        "thought": 0, "two thoughts": 1, "two questions, thoughts and tools": 2,
    }  # fmt: skip


def test_thoughts_are_kept_or_the_conversation_is_refused() -> None:
    for family in ("qwen3", "harmony"):
        encoder = ChatEncoder(family_tokenizer(family), system_prompt=None, reasoning="keep")
        assert encoder.encode(CHATS["thoughts and tools"]).left_out == 0
        with pytest.raises(DataError, match="leaves out a thought in or before message 2") as error:
            encoder.encode(CHATS["two thoughts"])
        assert "library.reasoning=auto" in error.value.remedy


@pytest.mark.parametrize("family", ["qwen3", "harmony", "qwen2.5"])
def test_dropped_thoughts_are_as_if_they_had_never_been(family: str) -> None:
    encoder = ChatEncoder(family_tokenizer(family), system_prompt=None, reasoning="drop")
    for name in ("thought", "thought in the text", "two thoughts", "thoughts and tools"):
        chat = CHATS[name]
        messages: list[Any] = [{**message} for message in chat.messages]
        for message in messages:
            message.pop("reasoning_content", None)
            message["content"] = message["content"].rpartition("</think>\n\n")[2]
        assert encoder.encode(chat) == encoder_of(family).encode(Chat(messages, chat.tools))
    with pytest.raises(DataError, match="Message 2 is only a thought"):
        encoder.encode(Chat([WARM, answer(reasoning_content="It is 7.")]))


PIECES = st.sampled_from(["Yes.", " No", "", "\n", "<think>", "</think>", "<|im_end|>", "{", '"'])
TEXTS = st.lists(PIECES, max_size=4).map("".join)


@st.composite
def chats(draw: st.DrawFn) -> Chat:
    """Questions, each with calls and their results, and an answer; any with thoughts."""
    messages: list[Message] = []

    def thinking(text: str, **more: Any) -> Message:
        if draw(st.booleans()):
            more["reasoning_content"] = draw(TEXTS.filter(str.strip))
        return answer(text, **more)

    uses_tools = draw(st.booleans())
    for _ in range(draw(st.integers(1, 2))):
        messages.append(user(draw(TEXTS)))
        if uses_tools:
            messages += [
                thinking("", tool_calls=[call(draw(TEXTS))]),
                result("reading" + draw(TEXTS)),
            ]
        messages.append(thinking(draw(TEXTS), weight=draw(st.sampled_from([0, 1, 1]))))
    return Chat(messages, TOOLS if uses_tools else "")


@pytest.mark.parametrize("family", FAMILIES)
@settings(deadline=None, max_examples=20)
@given(chat=chats())
def test_each_learned_answer_follows_the_prompt_for_it(family: str, chat: Chat) -> None:
    encoder = encoder_of(family)
    [tokens] = encoder.encode_many([chat])
    if isinstance(tokens, DataError):
        assert tokens.problem.endswith(".")
        assert tokens.remedy.endswith(".")
        return
    turns = [n for n, message in enumerate(chat.messages) if message["role"] == "assistant"]
    prompts = {turn: encoder.prompt(Chat(chat.messages[:turn], chat.tools)) for turn in turns}
    learned_turns = [
        turn
        for turn, prompt in prompts.items()
        if tokens.input_ids[: len(prompt)] == prompt
        and len(prompt) < len(tokens.input_ids)
        and tokens.loss[len(prompt)]
        and not tokens.loss[len(prompt) - 1]
    ]
    wanted = [turn for turn in turns if chat.messages[turn].get("weight", 1)]
    assert len(learned_turns) == len(wanted) - tokens.left_out
    assert set(learned_turns) <= set(wanted)
    assert not any("reading" in part for part in learned(family, tokens))
