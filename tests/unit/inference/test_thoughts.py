"""A model that has learned a thought is prompted to write it, and judged by its answer."""

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from ftdist.data.chat_encoder import ChatEncoder
from ftdist.data.messages import Chat, Message
from ftdist.errors import DataError
from ftdist.inference.hf_model import HFModel
from tests.support.models.thinking_templates import thinking_tokenizer
from tests.support.models.tiny_models import save_tiny_model

QUESTION = Message(role="user", content="Reset?")
THOUGHT = "<think>\nRow 1.\n</think>\n\nHold it."


@pytest.fixture(scope="module", params=["empty", "begun-marked"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that knows one answer by heart, as training shows it."""
    torch.set_num_threads(1)
    tokenizer = thinking_tokenizer(request.param)
    folder = save_tiny_model(tmp_path_factory.mktemp(request.param) / "model", "llama")
    answer = Message(role="assistant", content=THOUGHT)
    tokens = ChatEncoder(tokenizer, system_prompt=None).encode(Chat([QUESTION, answer]))
    ids = torch.tensor([tokens.input_ids])
    labels = ids.where(torch.tensor([tokens.loss]), -100)
    net = AutoModelForCausalLM.from_pretrained(folder)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    loss = torch.tensor(1.0)
    while loss > 0.01:
        optimizer.zero_grad()
        loss = net(input_ids=ids, labels=labels).loss
        loss.backward()
        optimizer.step()
    net.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_answers_are_those_of_plain_transformers(model: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(model)
    prompt = tokenizer.apply_chat_template(
        [QUESTION], add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    out = AutoModelForCausalLM.from_pretrained(model).generate(
        **prompt, max_new_tokens=40, do_sample=False, eos_token_id=tokenizer.eos_token_id
    )
    text = tokenizer.decode(out[0, prompt["input_ids"].shape[1] :], skip_special_tokens=True)
    assert text.endswith("Row 1.\n</think>\n\nHold it.")

    hf_model = HFModel(model, device="cpu", threads=1)
    assert hf_model.answer_with_truncation(["Reset?"], max_tokens=40, batch=1) == [
        ("Hold it.", False)
    ]
    assert hf_model.answer(["Reset?"], max_tokens=40, batch=1) == [THOUGHT]
    thoughts, answer = list[str](), list[str]()
    message = hf_model.stream_reply(
        [QUESTION], max_tokens=40, log=answer.append, log_thought=thoughts.append
    )
    assert (message, thoughts, "".join(answer)) == (THOUGHT, ["Row 1."], "Hold it.")


def test_a_thought_that_does_not_end_is_no_answer(model: Path) -> None:
    hf_model = HFModel(model, device="cpu", threads=1)
    assert hf_model.answer_with_truncation(["Reset?"], max_tokens=4, batch=1) == [("", True)]
    assert hf_model.answer(["Reset?"], max_tokens=4, batch=1) == [""]


def test_the_learned_answer_is_the_likeliest(model: Path) -> None:
    hf_model = HFModel(model, device="cpu", threads=1)
    choices = [THOUGHT.replace("1", "2"), THOUGHT, THOUGHT.replace("Hold", "Pull")]
    [scores] = hf_model.choice_loglikelihoods(["Reset?"], [choices], batch=1)
    assert max(scores) == scores[1]
    assert scores[1] * len(THOUGHT) > -1.0  # nats


def test_a_prompt_with_a_token_beyond_the_embedding_is_refused(model: Path) -> None:
    hf_model = HFModel(model, device="cpu", threads=1)
    hf_model.tokenizer.add_tokens([f"word{n}" for n in range(300)])
    with pytest.raises(DataError, match="'word299' has id 561, but the model's embedding has 503"):
        HFModel.check_room(_reloaded(hf_model, model), ["A word299?"], max_tokens=1)


def _reloaded(hf_model: HFModel, model: Path) -> HFModel:
    folder = model.with_name("more-tokens")
    hf_model.model.save_pretrained(folder)
    hf_model.tokenizer.save_pretrained(folder)
    return HFModel(folder, device="cpu", threads=1)
