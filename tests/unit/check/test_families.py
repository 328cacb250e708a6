"""Templates of known families with tools and thoughts: what is found of each kind of chat."""

import copy
from collections.abc import Iterable
from pathlib import Path

import pytest
from transformers import PreTrainedTokenizerFast

from ftdist.check import template
from ftdist.check.end_of_turn import EndsCheck
from ftdist.check.findings import Finding
from ftdist.check.reading import ReadRow
from ftdist.check.roles import accepted, template_findings
from ftdist.check.template import TemplateCheck
from ftdist.check.thoughts import ThoughtCheck
from ftdist.check.vocabulary import VocabularyCheck
from ftdist.data.chat_encoder import ChatEncoder
from ftdist.data.messages import Chat
from ftdist.errors import DataError
from ftdist.library.schema import Conversation, Location
from tests.support.models.family_chats import CHATS, LEARNED, TOOLS, WARM, WET, answer
from tests.support.models.tool_families import FAMILIES, family_tokenizer


def findings(family: str, chats: Iterable[Chat], model: Path) -> dict[str, Finding]:
    tokenizer = family_tokenizer(family)
    encoder = ChatEncoder(tokenizer, system_prompt=None)
    checks = (
        TemplateCheck(tokenizer, encoder, skips=False),
        ThoughtCheck("auto"),
        EndsCheck(tokenizer, encoder, model=model),
        VocabularyCheck(tokenizer, rows=None),
    )
    chats = list(chats)
    for number, (chat, encoded) in enumerate(
        zip(chats, encoder.encode_many(chats), strict=True), start=1
    ):
        row = Conversation(tuple(chat.messages), Location("a.jsonl", number), tools=chat.tools)
        error = encoded if isinstance(encoded, DataError) else None
        samples = [] if isinstance(encoded, DataError) else [encoded]
        for check in checks:
            check.add(ReadRow("library", row, samples, error))
    return {found.check: found for check in checks for found in check.findings()}


@pytest.mark.parametrize("family", FAMILIES)
def test_every_conversation_that_is_learned_has_the_tokenizers_ids_and_prompts(
    family: str, tmp_path: Path
) -> None:
    found = findings(family, CHATS.values(), tmp_path)
    assert found["template parity"].status == "ok"
    assert found["prompts"].status == "ok"
    assert found["text kept"].status == "ok"
    refused = sum(isinstance(expected, str) for expected in LEARNED[family].values())
    assert found["conversations"].status == ("failed" if refused else "ok")
    assert found["conversations"].message.startswith(
        f"{refused} of {len(CHATS)} conversations cannot be learned from"
        if refused
        else f"The template takes all {len(CHATS)} conversations."
    )


def test_answers_whose_thoughts_the_template_leaves_out_are_counted(tmp_path: Path) -> None:
    chats = [CHATS["thought"], CHATS["two thoughts"]]
    found = findings("qwen3", chats, tmp_path)["thoughts"]
    assert found.status == "warning"
    assert "1 of 3 answers are context and not learned" in found.message
    assert "the first: a.jsonl, row 2" in found.message
    assert findings("qwen2.5", chats, tmp_path)["thoughts"].status == "ok"
    assert "thoughts" not in findings("qwen3", [CHATS["plain"]], tmp_path)


def test_each_token_that_ends_answers_must_end_generation(tmp_path: Path) -> None:
    # Harmony ends calls of tools with <|call|> and final answers with <|return|>.
    found = findings("harmony", [CHATS["tools"]], tmp_path)
    assert "All 2 answers end with <|call|>, <|return|>" in found["end of turn"].message
    tokenizer = family_tokenizer("harmony")
    call, end = tokenizer.convert_tokens_to_ids(["<|call|>", "<|return|>"])
    config = tmp_path / "generation_config.json"
    config.write_text(f'{{"eos_token_id": {end}}}')
    warned = findings("harmony", [CHATS["tools"]], tmp_path)["end of generation"]
    assert warned.status == "warning"
    assert f"add {call} to" in warned.remedy
    config.write_text(f'{{"eos_token_id": [{end}, {call}]}}')
    assert findings("harmony", [CHATS["tools"]], tmp_path)["end of generation"].status == "ok"


def test_a_long_conversation_is_not_decoded_once_per_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[int] = []
    decode = PreTrainedTokenizerFast.decode

    def noted(self: PreTrainedTokenizerFast, ids: list[int]) -> object:
        decoded.extend(ids)
        return decode(self, ids)

    monkeypatch.setattr(PreTrainedTokenizerFast, "decode", noted)
    # Nothing stands between a prompt of Qwen2.5 and its answer; ends are looked at one by one.
    found = findings("qwen2.5", [Chat([WARM, answer("No.")] * 20)], tmp_path)["prompts"]
    assert found.message == "Before each of 20 learned answers stands exactly the prompt for it."
    assert len(decoded) <= 2 * 20


def test_of_each_source_so_many_tokens_are_compared_as_take_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chats = [Chat([WARM, answer("No.")] * 4)] * 3
    tokens = len(
        ChatEncoder(family_tokenizer("qwen2.5"), system_prompt=None).encode(chats[0]).input_ids
    )
    # Each is rendered five times: for four answers and as a whole.
    for limit, compared in ((5 * tokens, 1), (5 * tokens + 1, 2)):
        monkeypatch.setattr(template, "_COMPARED_TOKENS", limit)
        found = findings("qwen2.5", chats, tmp_path)["template parity"]
        assert found.message.startswith(f"{compared} of {compared} conversations compared")


@pytest.mark.parametrize("text", ["No.", "7"])  # three bytes, and one
def test_ends_that_the_template_has_for_earlier_turns_alone_are_no_fault(
    text: str, tmp_path: Path
) -> None:
    # Harmony ends the answers of earlier turns with <|end|>, as it ends questions.
    chat = Chat([WARM, answer(text), WET, answer(text), WARM, answer(text)])
    found = findings("harmony", [chat, CHATS["tools"]], tmp_path)["end of turn"]
    assert found.status == "ok"
    assert found.message == (
        "3 of 5 answers end with <|return|>, <|call|>, and it is learned. The template ends the "
        "others, which are of earlier turns, with <|end|>, which is not."
    )


@pytest.mark.parametrize("text", ["No.", "7"])
def test_answers_of_earlier_turns_without_any_end_fail(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer = copy.deepcopy(family_tokenizer("qwen3"))
    tokenizer.chat_template = (
        "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content }}"
        "{% if loop.last and m.role == 'assistant' %}{{ '<|im_end|>' }}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
    )
    monkeypatch.setattr("tests.unit.check.test_families.family_tokenizer", lambda _: tokenizer)
    chat = Chat([WARM, answer(text), WET, answer(text), WARM, answer(text)])
    found = findings("qwen3", [chat], tmp_path)["end of turn"]
    assert found.status == "failed"
    assert found.message.startswith("2 of 3 answers do not end with a learned <|im_end|>")


def test_kinds_of_messages_that_templates_take() -> None:
    takes = {
        family: accepted(
            ChatEncoder(family_tokenizer(family), system_prompt=None), family_tokenizer(family)
        )
        for family in ("qwen3", "gemma", "phi")
    }
    assert all(takes["qwen3"].values())
    assert [kind for kind, taken in takes["gemma"].items() if taken] == ["user", "assistant"]
    assert [kind for kind, taken in takes["phi"].items() if not taken] == [
        *("tools", "tool calls", "tool results")
    ]


def test_of_several_templates_the_default_is_named_and_that_of_tools_warned_of() -> None:
    tokenizer = copy.deepcopy(family_tokenizer("qwen3"))
    own = tokenizer.chat_template
    for other, status in (("rag", "ok"), ("tool_use", "warning")):
        tokenizer.chat_template = {"default": own, other: own}
        encoder = ChatEncoder(tokenizer, system_prompt=None)
        [found] = template_findings(tokenizer, encoder, is_own=False)
        assert found.status == status
        assert f"templates (default, {other}) `default` is used" in found.message


def test_special_tokens_in_calls_are_found_and_those_of_thoughts_are_not(tmp_path: Path) -> None:
    function = {"name": "look", "arguments": '{"at": "<|im_end|>"}'}
    call = answer(tool_calls=[{"type": "function", "function": function}])
    chats = [Chat([WARM, call], TOOLS), CHATS["thought in the text"]]
    found = findings("qwen3", chats, tmp_path)["special tokens in text"]
    assert "Messages hold <|im_end|> once (the first: a.jsonl, row 1)" in found.message
