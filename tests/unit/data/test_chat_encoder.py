"""Token ids and loss masks of conversations, under templates in the shape of the known families."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import (
    Tokenizer,
    models,
    pre_tokenizers,
)
from transformers import PreTrainedTokenizerFast

from ftdist.data.chat_encoder import ChatEncoder
from ftdist.data.chat_template import ChatTemplate
from ftdist.data.default_template import default_chat_template, ensure_chat_template
from ftdist.data.messages import Chat, Message
from ftdist.data.special_tokens import SpecialTokens
from ftdist.data.template_chat import ChatPreparation
from ftdist.data.template_renderer import TemplateRenderer
from ftdist.errors import DataError
from tests.support.models.families import MISTRAL, tokenizer_of
from tests.support.models.tool_families import learned_text


def talk(*texts: str, system: str | None = None) -> list[Message]:
    """User and assistant in turn."""
    roles = ["user", "assistant"] * len(texts)
    messages = [Message(role=r, content=t) for r, t in zip(roles, texts, strict=False)]
    return [Message(role="system", content=system), *messages] if system else messages


def own_ids(tokenizer: PreTrainedTokenizerFast, messages: Sequence[Message]) -> list[int]:
    ids: list[int] = tokenizer.apply_chat_template(messages, tokenize=True, return_dict=False)
    return ids


ONE = talk("How do I reset the widget?", "Hold the red button.\n\nThen wait.")
TWO = talk("Reset?", " Hold it for 7 s.", "And then?", "Wait h\u00e9re \U0001f600")
END = {
    "smollm2": "<|im_end|>",
    "llama3": "<|eot_id|>",
    "qwen3": "<|im_end|>",
    "gemma": "<end_of_turn>",
    "mistral": "</s>",
    "phi": "<|end|>",
    "alpaca": "\n### End\n\n",
    "marked": "<|im_end|>",
}


@pytest.mark.parametrize("words", ["bytes", "marks"])
@pytest.mark.parametrize("family", END)
def test_ids_are_those_of_apply_chat_template(family: str, words: str) -> None:
    tokenizer = tokenizer_of(family, words=words)
    encoder = ChatEncoder(tokenizer, system_prompt=None)
    for messages in (ONE, TWO):
        assert encoder.encode(Chat(messages)).input_ids == own_ids(tokenizer, messages)


@pytest.mark.parametrize("family", END)
def test_only_answers_and_their_end_of_turn_are_trained(family: str) -> None:
    tokenizer = tokenizer_of(family)
    encoder = ChatEncoder(tokenizer, system_prompt=None)
    trims = family in {"llama3", "gemma"}
    space = " " if family == "mistral" else ""
    thought = "<think>\n\n</think>\n\n" if family == "qwen3" else ""

    assert learned_text(tokenizer, encoder.encode(Chat(ONE))) == [
        f"{space}{thought}Hold the red button.\n\nThen wait.{END[family]}"
    ]
    first = "Hold it for 7 s." if trims or family == "phi" else " Hold it for 7 s."
    assert learned_text(tokenizer, encoder.encode(Chat(TWO))) == [
        f"{space}{first}{END[family]}",
        f"{space}{thought}Wait h\u00e9re \U0001f600{END[family]}",
    ]


CONDITIONAL = {
    "at its length": "{{ m.content }}{% if m.content | length > 90 %}!{% endif %}",
    "at whether it is empty": "{% if m.content %}{{ m.content }}{% endif %}",
    "for a word": "{{ m.content }}{% if '</think>' in m.content %}!{% endif %}",
    "at what it equals": "{{ '' if m.content == 'Stop' else m.content }}",
    "at its end": "{{ m.content }}{{ '' if m.content.endswith('.') else '.' }}",
    "at its first letter": "{{ m.content }}{% if m.content[0] == 'A' %}!{% endif %}",
    "at its number": "{{ m.content }}{% if m.content | int > 7 %}!{% endif %}",
    "behind a copy": "{% set c = m.content ~ '' %}{{ c }}{{ '!' if 'x' in c else '' }}",
    "behind a sum": "{% set c = 'b' + m.content %}{{ c }}{{ '!' if 'x' in c else '' }}",
    "for parts": "{{ m.content.split('</think>')[-1] }}",
    "to replace": "{{ m.content | replace('x', 'y') }}",
    "at one end only": "{{ m.content.rstrip() }}",
}


@pytest.mark.parametrize("content", CONDITIONAL.values(), ids=CONDITIONAL)
def test_ids_are_correct_for_content_dependent_templates(content: str) -> None:
    tokenizer = _with_template(
        "{% for m in messages %}{{ m.role + ':\n' }}" + content + "{{ eos_token }}{% endfor %}"
        "{% if add_generation_prompt %}{{ 'assistant:\n' }}{% endif %}"
    )
    encoder = ChatEncoder(tokenizer, system_prompt=None)
    for question in ("Reset?", "Stop", "x" * 99, "A </think> b", " 8 ", ""):
        messages = talk(question, "Wait")
        assert encoder.encode(Chat(messages)).input_ids == own_ids(tokenizer, messages)


UNCONDITIONAL = ("alpaca", "gemma", "llama3", "mistral", "phi", "smollm2")
"""Families whose templates write contents whatever they hold."""


@cache
def _rendering(family: str) -> tuple[Any, ChatTemplate, ChatPreparation]:
    tokenizer = tokenizer_of(family)
    renderer, special_tokens = TemplateRenderer(tokenizer), SpecialTokens(tokenizer)
    preparation = ChatPreparation(renderer, special_tokens, system_prompt=None, reasoning="auto")
    return tokenizer, ChatTemplate(renderer, special=special_tokens.pattern), preparation


@settings(deadline=None, max_examples=60)
@given(contents=st.lists(st.text(max_size=12), min_size=2, max_size=6))
def test_any_content_is_rendered_like_apply_chat_template(contents: list[str]) -> None:
    messages = talk(*contents, *["ends"] * (len(contents) % 2))
    for tokenizer, template, preparation in map(_rendering, UNCONDITIONAL):
        text, spans, _, _ = template.render(preparation.prepare(Chat(messages)))
        assert text == tokenizer.apply_chat_template(messages, tokenize=False)
        assert len(spans) == len(messages) // 2


def test_content_repeated_in_a_later_turn_is_located_correctly() -> None:
    tokenizer = _with_template(
        "{% for m in messages %}{{ m.role + ': ' }}"
        "{% if m.role == 'user' and not loop.first %}{{ messages[0].content | trim }}{% endif %}"
        "{{ m.content + eos_token }}"
        "{% endfor %}{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"
    )
    encoder = ChatEncoder(tokenizer, system_prompt=None)
    for question in ("Be kind.", " Reset? "):
        messages = talk(question, "Wait.", "And then?", "Go on.")
        assert encoder.encode(Chat(messages)).input_ids == own_ids(tokenizer, messages)


def test_tokenizer_word_markers_belong_to_the_answer() -> None:
    tokenizer = tokenizer_of("llama3", words="marks")
    tokens = ChatEncoder(tokenizer, system_prompt=None).encode(Chat(talk("Hi", "Wait")))
    pieces = tokenizer.convert_ids_to_tokens(
        [i for i, chosen in zip(tokens.input_ids, tokens.loss, strict=True) if chosen]
    )
    assert "".join(pieces) == "Wait<|eot_id|>"  # the mark stands before the line breaks


@pytest.mark.fault("S6")
@pytest.mark.parametrize("words", ["bytes", "marks"])
@pytest.mark.parametrize("family", ["smollm2", "llama3", "gemma", "mistral", "phi", "marked"])
def test_special_tokens_in_messages_stay_text(family: str, words: str) -> None:
    tokenizer = tokenizer_of(family, words=words)
    specials = {token for token, _ in _special_ids(tokenizer)}
    ids = {number for _, number in _special_ids(tokenizer)}
    encoder = ChatEncoder(tokenizer, system_prompt=None)
    forged = "".join(sorted(specials))

    tame = encoder.encode(Chat(talk("Say x now", "I said x then")))
    wild = encoder.encode(Chat(talk(f"Say {forged} now", f"I said {forged} then")))

    assert [i for i in wild.input_ids if i in ids] == [i for i in tame.input_ids if i in ids]
    assert wild.loss.count(True) > tame.loss.count(True)
    if words == "marks":
        return  # that tokenizer has no decoder to read the text back with
    assert tokenizer.decode(wild.input_ids).count(forged) == 2
    [answer] = learned_text(tokenizer, wild)
    assert answer.strip() == f"I said {forged} then{END[family]}"


def _special_ids(tokenizer: PreTrainedTokenizerFast) -> list[tuple[str, int]]:
    return [(t.content, i) for i, t in tokenizer.added_tokens_decoder.items() if t.special]


def test_special_tokens_in_a_message_do_not_change_how_the_rest_is_encoded() -> None:
    tokenizer = tokenizer_of("smollm2")
    encoder = ChatEncoder(tokenizer, system_prompt=None)
    forged = encoder.encode(Chat(talk("the <|im_end|>", "Hold the red button.")))
    plain = encoder.encode(Chat(talk("the", "Hold the red button.")))
    answer = plain.loss.count(True)
    assert forged.input_ids[-answer - 1 :] == plain.input_ids[-answer - 1 :]
    assert forged.loss[-answer - 1 :] == plain.loss[-answer - 1 :]


@pytest.mark.fault("S6")
@pytest.mark.parametrize("kind", ["unigram", "wordpiece"])
def test_special_tokens_in_the_base_vocabulary_stay_text(kind: str) -> None:
    words = [
        "<s>",
        "</s>",
        "<unk>",
        *["<", "s", ">", "/", "I", "n", "S", "T", "[", "]", "a", "b"],
        "\u2581",
        "##s",
        "##>",
    ]
    model = (
        models.Unigram([(word, -float(at)) for at, word in enumerate(words)], unk_id=2)
        if kind == "unigram"
        else models.WordPiece({word: at for at, word in enumerate(words)}, unk_token="<unk>")
    )
    core = Tokenizer(model)
    core.pre_tokenizer = pre_tokenizers.Metaspace()
    core.add_special_tokens(["<s>", "</s>"])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, bos_token="<s>", eos_token="</s>", chat_template=MISTRAL
    )
    encoder = ChatEncoder(tokenizer, system_prompt=None)

    assert encoder.encode(Chat(talk("a b", "b"))).input_ids == own_ids(tokenizer, talk("a b", "b"))
    tokens = encoder.encode(Chat(talk("a </s> b", "b<s>")))
    assert tokens.input_ids.count(0) == tokens.input_ids.count(1) == 1
    assert tokens.input_ids[-1] == 1
    assert tokens.loss[-1]


def test_reasoning_of_the_last_answer_is_trained() -> None:
    tokenizer = tokenizer_of("qwen3")
    messages = talk("Reset?", "<think>\nRed.\n</think>\n\nHold it.")
    tokens = ChatEncoder(tokenizer, system_prompt=None).encode(Chat(messages))
    assert tokens.input_ids == own_ids(tokenizer, messages)
    assert learned_text(tokenizer, tokens) == ["<think>\nRed.\n</think>\n\nHold it.<|im_end|>"]
    assert tokenizer.convert_tokens_to_ids("<think>") in tokens.input_ids


def test_a_template_that_strips_earlier_reasoning_is_refused_if_it_is_to_be_kept() -> None:
    messages = talk("Reset?", "<think>\nRed.\n</think>\n\nHold it.", "And?", "Wait.")
    encoder = ChatEncoder(tokenizer_of("qwen3"), system_prompt=None, reasoning="keep")
    with pytest.raises(DataError, match="leaves out a thought in or before message 2"):
        encoder.encode(Chat(messages))


def test_a_template_that_moves_messages_is_refused() -> None:
    encoder = ChatEncoder(tokenizer_of("mistral-moves-system"), system_prompt=None)
    assert encoder.encode(Chat(talk("Reset?", "Hold it.", system="Be brief"))).loss_tokens > 0
    with pytest.raises(DataError, match=r"prompt for message 3 .* ends '\[INST\] Be brief"):
        encoder.encode(Chat(talk("Reset?", "Hold it.", "And?", "Wait.", system="Be brief")))


def test_a_template_that_refuses_a_role_is_quoted() -> None:
    encoder = ChatEncoder(tokenizer_of("gemma"), system_prompt=None)
    with pytest.raises(DataError, match="of system, user, assistant: System role not supported"):
        encoder.encode(Chat(talk("Reset?", "Hold it.", system="Be brief")))
    with pytest.raises(DataError, match="Roles must alternate"):
        encoder.encode(Chat([*talk("Reset?"), *talk("Reset?", "Hold it.")]))


def test_a_template_without_an_end_of_turn_is_refused() -> None:
    tokenizer = _with_template(
        "{% for m in messages %}{{ m.role + ': ' + m.content + '\n' }}{% endfor %}"
    )
    with pytest.raises(DataError, match="no model could learn to stop"):
        ChatEncoder(tokenizer, system_prompt=None).encode(Chat(ONE))


def test_a_template_that_drops_answers_is_refused() -> None:
    tokenizer = _with_template(
        "{% for m in messages if m.role == 'user' %}{{ m.content + eos_token }}{% endfor %}"
    )
    with pytest.raises(DataError, match="writes an answer 0 times"):
        ChatEncoder(tokenizer, system_prompt=None).encode(Chat(ONE))


def test_a_template_whose_generation_marks_omit_answers_is_refused() -> None:
    tokenizer = _with_template(
        "{% for m in messages %}{% if loop.last %}{% generation %}{{ m.content + eos_token }}"
        "{% endgeneration %}{% else %}{{ m.content + eos_token }}{% endif %}{% endfor %}"
    )
    with pytest.raises(DataError, match="leaves a part of message 2 out of what it marks"):
        ChatEncoder(tokenizer, system_prompt=None).encode(Chat(TWO))


def test_the_system_prompt_is_added_only_where_missing() -> None:
    tokenizer = tokenizer_of("smollm2")
    encoder = ChatEncoder(tokenizer, system_prompt="Be brief")
    given = talk("Reset?", "Hold it.", system="Be brief")
    assert encoder.encode(Chat(talk("Reset?", "Hold it."))) == encoder.encode(Chat(given))
    other = talk("Reset?", "Hold it.", system="Be kind")
    assert "Be brief" not in tokenizer.decode(encoder.encode(Chat(other)).input_ids)


@pytest.mark.parametrize("family", ["smollm2", "alpaca", "mistral"])
def test_a_model_without_a_chat_template_gets_the_default_template(family: str) -> None:
    tokenizer = _with_template(None, family=family)
    assert ensure_chat_template(tokenizer)
    assert not ensure_chat_template(tokenizer)
    assert tokenizer.chat_template == default_chat_template(tokenizer)
    encoder = ChatEncoder(tokenizer, system_prompt="Be brief")

    tokens = encoder.encode(Chat(TWO))

    assert tokens.input_ids == own_ids(tokenizer, [*talk("x", system="Be brief")[:1], *TWO])
    assert learned_text(tokenizer, tokens) == [
        f" Hold it for 7 s.{tokenizer.eos_token}",
        f"Wait h\u00e9re \U0001f600{tokenizer.eos_token}",
    ]


def test_the_default_template_needs_an_eos_token() -> None:
    tokenizer = _with_template(None, family="alpaca")
    tokenizer.eos_token = None
    with pytest.raises(DataError, match="no end-of-sequence token"):
        ensure_chat_template(tokenizer)


def test_every_token_of_a_text_but_the_first_is_trained() -> None:
    tokenizer = tokenizer_of("smollm2")
    tokens = ChatEncoder(tokenizer, system_prompt=None).encode_text("the <|im_start|> button")
    assert tokenizer.decode(tokens.input_ids) == "the <|im_start|> button<|im_end|>"
    assert tokens.input_ids.count(tokenizer.convert_tokens_to_ids("<|im_start|>")) == 0
    assert tokens.loss == [False] + [True] * (len(tokens.input_ids) - 1)


def test_the_fingerprint_depends_on_template_and_system_prompt() -> None:
    plain = ChatEncoder(tokenizer_of("smollm2"), system_prompt=None).fingerprint()
    assert ChatEncoder(tokenizer_of("smollm2"), system_prompt=None).fingerprint() == plain
    assert ChatEncoder(tokenizer_of("smollm2"), system_prompt="Be brief").fingerprint() != plain
    assert ChatEncoder(tokenizer_of("qwen3"), system_prompt=None).fingerprint() != plain


def _with_template(template: str | None, *, family: str = "smollm2") -> PreTrainedTokenizerFast:
    made = tokenizer_of(family)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(made.backend_tokenizer.to_str()),
        bos_token=made.bos_token,
        eos_token=made.eos_token,
    )
    tokenizer.chat_template = template
    return tokenizer
