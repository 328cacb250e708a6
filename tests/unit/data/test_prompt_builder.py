"""What is asked and answered, in the tokens that training has them in."""

import pytest

from ftdist.data.chat_encoder import ChatEncoder
from ftdist.data.messages import Chat, Message
from ftdist.data.prompt_builder import PromptBuilder
from tests.support.models.families import TOKENS, tokenizer_of

QUESTION = Message(role="user", content="How do I reset the widget?")
ANSWER = "Hold the red button.\n\nThen wait."

END = {
    "smollm2": ["<|im_end|>"],
    "llama3": ["<|eot_id|>"],
    "qwen3": ["<|im_end|>"],
    "gemma": ["<end_of_turn>"],
    "mistral": ["</s>"],
    "mistral-moves-system": ["</s>"],
    "phi": ["<|end|>", "<|endoftext|>"],
    "alpaca": ["</s>"],
    "marked": ["<|im_end|>"],
}


@pytest.mark.parametrize("words", ["bytes", "marks"])
@pytest.mark.parametrize("family", sorted(TOKENS.keys() - {"marked"}))
def test_prompt_plus_answer_equals_the_training_rendering(family: str, words: str) -> None:
    tokenizer = tokenizer_of(family, words=words)
    prompt_builder = PromptBuilder(tokenizer, system_prompt=None)
    asked = [QUESTION, Message(role="assistant", content=ANSWER)]
    written = ChatEncoder(tokenizer, system_prompt=None).encode(Chat(asked)).input_ids
    found = prompt_builder.prompt([QUESTION]) + prompt_builder.answer(ANSWER)
    assert written[: len(found)] == found
    rest = tokenizer.decode(written[len(found) :]).translate({ord(c): None for c in " \n\u2581"})
    assert rest == {"alpaca": "###End"}.get(family, "".join(END[family]))


@pytest.mark.parametrize("family", END)
def test_an_answer_ends_with_what_the_template_writes_after_it(family: str) -> None:
    tokenizer = tokenizer_of(family)
    ends = PromptBuilder(tokenizer, system_prompt=None).ends(None)
    assert tokenizer.convert_ids_to_tokens(ends) == END[family]


def test_stop_tokens_of_the_generation_config_end_an_answer() -> None:
    prompt_builder = PromptBuilder(tokenizer_of("phi"), system_prompt=None)
    end, end_of_text = prompt_builder.ends(None)
    assert prompt_builder.ends(7) == [7, end, end_of_text]
    assert prompt_builder.ends([end_of_text, 7]) == [end_of_text, 7, end]


def test_the_system_prompt_precedes_the_question() -> None:
    tokenizer = tokenizer_of("smollm2")
    asked = tokenizer.decode(PromptBuilder(tokenizer, system_prompt="Be brief.").prompt([QUESTION]))
    assert asked.startswith("<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n")
    own = [Message(role="system", content="Be kind."), QUESTION]
    asked = tokenizer.decode(PromptBuilder(tokenizer, system_prompt="Be brief.").prompt(own))
    assert asked.startswith("<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\n")


def test_answers_are_scored_even_if_the_template_refuses_the_probe() -> None:
    tokenizer = tokenizer_of("gemma")
    kept = tokenizer.chat_template
    try:
        tokenizer.chat_template = "{{ raise_exception('never') }}"
        prompt_builder = PromptBuilder(tokenizer, system_prompt=None)
        assert (
            prompt_builder.answer("Hold")
            == tokenizer("Hold", add_special_tokens=False)["input_ids"]
        )
    finally:
        tokenizer.chat_template = kept
