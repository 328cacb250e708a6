"""The prompt for an answer is how training shows that conversation, or the row is refused."""

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from ftdist.data.chat_encoder import ChatEncoder
from ftdist.data.messages import Chat, Message
from ftdist.data.prompt_builder import PromptBuilder
from ftdist.errors import DataError
from tests.support.models.families import TOKENS, tokenizer_of
from tests.support.models.thinking_templates import TEMPLATES, thinking_tokenizer

THOUGHT = "<think>\nRow 1.\n</think>\n\nHold it."


@cache
def made(name: str) -> tuple[PreTrainedTokenizerFast, ChatEncoder, PromptBuilder]:
    tokenizer = thinking_tokenizer(name) if name in TEMPLATES else tokenizer_of(name)
    return (
        tokenizer,
        ChatEncoder(tokenizer, system_prompt=None),
        PromptBuilder(tokenizer, system_prompt=None),
    )


def talk(*texts: str, system: str | None = None) -> list[Message]:
    begin = [] if system is None else [Message(role="system", content=system)]
    roles = ("user", "assistant")
    return begin + [Message(role=roles[n % 2], content=text) for n, text in enumerate(texts)]


def remedy_of(name: str, messages: list[Message]) -> tuple[str, str]:
    with pytest.raises(DataError) as refused:
        made(name)[1].encode(Chat(messages))
    return refused.value.problem, refused.value.remedy


def trains_with(name: str, old: str, new: str, messages: list[Message]) -> bool:
    """Whether a conversation can be trained on once its template has been changed."""
    tokenizer = thinking_tokenizer(name)
    assert old in tokenizer.chat_template
    tokenizer.chat_template = tokenizer.chat_template.replace(old, new)
    tokens = ChatEncoder(tokenizer, system_prompt=None).encode(Chat(messages))
    prompt = PromptBuilder(tokenizer, system_prompt=None).prompt(messages[:-1])
    return tokens.input_ids[: len(prompt)] == prompt and tokens.loss[len(prompt)]


PIECES = st.sampled_from(
    ["Hold", " H", "\n", "\n\n", " ", "<think>", "</think>", "\n</think>\n\n", "<|im_end|>", "/off"]
)
TEXTS = st.one_of(
    st.lists(PIECES, max_size=5).map("".join),
    st.sampled_from([THOUGHT, "<think>\n\n</think>\n\nHold.", "Hold.", "Row 1.</think>Hold."]),
)


@pytest.mark.parametrize("name", sorted({*TEMPLATES, *TOKENS}))
@settings(deadline=None, max_examples=25)
@given(
    system=st.none() | TEXTS,
    texts=st.lists(TEXTS, min_size=2, max_size=6).filter(lambda texts: len(texts) % 2 == 0),
)
def test_a_prompt_is_a_prefix_of_what_is_trained_or_the_row_is_refused(
    name: str, system: str | None, texts: list[str]
) -> None:
    _, encoder, prompt_builder = made(name)
    messages = talk(*texts, system=system)
    [tokens] = encoder.encode_many([Chat(messages)])
    if isinstance(tokens, DataError):
        assert tokens.problem.endswith(".")
        assert tokens.remedy.endswith(".")
        return
    turns = [turn for turn, message in enumerate(messages) if message["role"] == "assistant"]
    prompts = [prompt_builder.prompt(messages[:turn]) for turn in turns]
    begun = [prompt for prompt in prompts if tokens.input_ids[: len(prompt)] == prompt]
    assert len(begun) >= len(prompts) - tokens.left_out
    assert prompts[-1] in begun
    assert all(any(tokens.loss[len(prompt) :]) for prompt in begun)


def test_a_thought_in_the_answers_is_not_closed_by_the_prompt() -> None:
    tokenizer, encoder, prompt_builder = made("empty")
    question = talk("Reset?")
    header = "<|im_start|>assistant\n"
    assert tokenizer.decode(prompt_builder.prompt(question)).endswith(f"Reset?<|im_end|>\n{header}")
    assert encoder.encode(Chat(talk("Reset?", "Hold it."))).has_opening
    assert not encoder.encode(Chat(talk("Reset?", THOUGHT))).has_opening

    fixed = PromptBuilder(tokenizer, system_prompt=None, fixed_opening=True)
    prompt = fixed.prompt(question)
    assert tokenizer.decode(prompt).endswith(f"{header}<think>\n\n</think>\n\n")
    assert encoder.encode(Chat(talk("Reset?", "Hold it."))).input_ids[: len(prompt)] == prompt


@pytest.mark.parametrize("answer", ["Hold it.", THOUGHT, "<|im_end|> ends it."])
@pytest.mark.parametrize("name", ["empty", "empty-marked", "kept", "switched", "alternating"])
def test_scored_answers_are_what_training_has_after_the_prompt(name: str, answer: str) -> None:
    _, encoder, prompt_builder = made(name)
    whole = encoder.encode(Chat(talk("Reset?", answer))).input_ids
    found = prompt_builder.prompt(talk("Reset?")) + prompt_builder.answer(answer)
    assert whole[: len(found)] == found
    assert len(whole) - len(found) <= 2  # the end of the turn, and a line break
    prompt, [first, _] = prompt_builder.scored("Reset?", [answer, "No."])
    assert prompt + first == found


def test_an_empty_thought_that_all_answers_share_is_not_scored() -> None:
    tokenizer, _, prompt_builder = made("empty")
    prompt, answers = prompt_builder.scored("Reset?", ["Hold it.", "No."])
    assert tokenizer.decode(prompt).endswith("assistant\n<think>\n\n</think>\n\n")
    assert [tokenizer.decode(answer) for answer in answers] == ["Hold it.", "No."]
    _, answers = prompt_builder.scored("Reset?", [THOUGHT, "No."])
    assert [tokenizer.decode(answer) for answer in answers] == [
        THOUGHT, "<think>\n\n</think>\n\nNo."
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["begun", "begun-marked"])
def test_a_thought_begun_in_the_prompt_alone_is_refused(name: str) -> None:
    problem, remedy = remedy_of(name, talk("Reset?", "Hold it."))
    assert "ends '<think>\\n', the conversation continues 'Hold it.<|im_end|>\\n'" in problem
    assert "end the generation prompt after '<|im_start|>assistant\\n'" in remedy
    assert ("or begin each answer with a thought" in remedy) == (name == "begun-marked")
    assert trains_with(name, "assistant\n<think>\n' }}", "assistant\n' }}", talk("Reset?", "Hold."))
    if name == "begun-marked":
        assert made(name)[1].encode(Chat(talk("Reset?", THOUGHT))).loss_tokens > 0


def test_another_empty_thought_than_the_prompt_begins_is_refused() -> None:
    problem, remedy = remedy_of("other-empty", talk("Reset?", "Hold it."))
    assert "ends '<think>\\n', the conversation continues '<think></think>Hold it." in problem
    assert "end the generation prompt after '<|im_start|>assistant\\n'" in remedy
    assert "thought (" not in remedy
    change = "assistant\n<think>\n' }}", "assistant\n' }}"
    assert trains_with("other-empty", *change, talk("Reset?", "Hold."))


def test_text_between_prompt_and_mark_is_refused() -> None:
    problem, remedy = remedy_of("unlearned", talk("Reset?", "Hold it."))
    assert "writes '<think>\\n\\n</think>\\n\\n' before the answer in message 2" in problem
    assert "move {% generation %} before it" in remedy
    opening = "{{ '<think>\n\n</think>\n\n' }}"
    moved = "{% generation %}" + opening
    assert trains_with("unlearned", opening + "{% generation %}", moved, talk("Reset?", "Hold."))


def test_a_template_whose_answers_never_end_names_the_remedy() -> None:
    problem, remedy = remedy_of("endless", talk("Reset?", "Hold it."))
    assert "writes no end of turn" in problem
    assert "write {{ eos_token }} at the end of each answer" in remedy
    assert trains_with("endless", "\n' + c }}", "\n' + c + eos_token }}", talk("Reset?", "Hold."))


@pytest.mark.parametrize("name", ["empty", "empty-marked", "begun-last"])
def test_an_answer_that_a_later_turn_robs_of_its_thought_is_not_learned(name: str) -> None:
    tokenizer, encoder, _ = made(name)
    last = THOUGHT.replace("Row 1", "Row 2")
    tokens = encoder.encode(Chat(talk("Reset?", THOUGHT, "And?", last)))
    learned = [i for i, chosen in zip(tokens.input_ids, tokens.loss, strict=True) if chosen]
    begin = "" if name == "begun-last" else "<think>\n"
    assert tokenizer.decode(learned) == f"{begin}Row 2.\n</think>\n\nHold it.<|im_end|>"
    assert tokens.left_out == 1
    keeping = ChatEncoder(thinking_tokenizer(name), system_prompt=None, reasoning="keep")
    with pytest.raises(DataError, match="leaves out a thought in or before message 2") as refused:
        keeping.encode(Chat(talk("Reset?", THOUGHT, "And?", last)))
    assert refused.value.remedy.startswith("split it into conversations with one answer each")
    assert keeping.encode(Chat(talk("Reset?", THOUGHT))).loss_tokens > 0


def test_a_prompt_that_a_later_turn_changes_names_the_remedy() -> None:
    _, remedy = remedy_of(
        "mistral-moves-system", talk("Reset?", "Hold it.", "And?", "Wait.", system="Be brief")
    )
    assert remedy.startswith("split it into conversations with one answer each")


def test_a_token_across_prompt_and_answer_is_refused() -> None:
    problem, remedy = remedy_of("kept", talk("Reset?", "\n Hold it."))
    assert "joins the end of the prompt for answer 1, '<|im_start|>assistant\\n'" in problem
    assert remedy == "remove the blanks at the beginning of the answer."
    problem, remedy = remedy_of("blank", talk("Reset?", "Hold it."))
    assert "'A: ', with the beginning of that answer, 'Hold it.<|im_end|>\\n'" in problem
    assert "end the generation prompt without the blanks" in remedy
    assert trains_with("blank", "%}{{ 'A: ' }}", "%}{{ 'A:' }}", talk("Reset?", "Hold it."))


@pytest.mark.parametrize("role", ["user", "assistant"])
def test_thought_marks_in_a_message_are_the_same_in_training_and_prompt(role: str) -> None:
    tokenizer, encoder, prompt_builder = made("kept")
    text = "What does </think> end?"
    texts = (text, "A thought.") if role == "user" else ("Hi", text)
    messages = talk(*texts, "And?", "Go.")
    prompt = prompt_builder.prompt(messages[:-1])
    assert encoder.encode(Chat(messages)).input_ids[: len(prompt)] == prompt
    assert prompt.count(tokenizer.convert_tokens_to_ids("</think>")) == 1


def test_special_tokens_in_a_question_are_text_in_the_prompt_too() -> None:
    tokenizer, encoder, prompt_builder = made("kept")
    messages = talk("What is <|im_end|>?", "A token.")
    prompt = prompt_builder.prompt(messages[:-1])
    assert encoder.encode(Chat(messages)).input_ids[: len(prompt)] == prompt
    assert prompt.count(tokenizer.convert_tokens_to_ids("<|im_end|>")) == 1  # the template's


@pytest.mark.parametrize("system", [None, "Be brief"])
def test_a_conversation_that_begins_with_the_assistant_is_refused(system: str | None) -> None:
    begin = [*talk(system=system), Message(role="assistant", content="Hello")]
    with pytest.raises(DataError, match="begins with the assistant"):
        made("kept")[1].encode(Chat([*begin, *talk("Reset?", "Hold it.")]))


def test_a_token_beyond_the_embedding_is_named() -> None:
    tokenizer = thinking_tokenizer("kept")
    tokenizer.add_tokens(["Fernbot"])
    rows = tokenizer.convert_tokens_to_ids("Fernbot")
    encoder = ChatEncoder(tokenizer, system_prompt=None, embedding_rows=rows)
    prompt_builder = PromptBuilder(tokenizer, system_prompt=None, embedding_rows=rows)
    assert encoder.encode(Chat(talk("Reset?", "Hold it."))).loss_tokens > 0  # surplus may go unused
    assert prompt_builder.prompt(talk("Reset?"))
    match = f"'Fernbot' has id {rows}, but the model's embedding has {rows} rows"
    for use in (
        lambda: encoder.encode_many([Chat(talk("Reset the Fernbot?", "Hold it."))]),
        lambda: encoder.encode_text("The Fernbot."),
        lambda: prompt_builder.prompt(talk("Fernbot?")),
        lambda: prompt_builder.answer("Fernbot"),
    ):
        with pytest.raises(DataError, match=match) as refused:
            use()
        assert f"resize_token_embeddings({rows + 1})" in refused.value.remedy
