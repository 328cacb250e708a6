"""A model answers on a GPU: as one copy, as the only one in a process of its own, over all GPUs."""

from dataclasses import replace
from pathlib import Path

import pytest

from ftdist.config.compose import compose
from ftdist.dist.device import free_memory
from ftdist.evaluation.eval_requests import EvalRequests
from ftdist.evaluation.eval_set import read_eval_set
from ftdist.evaluation.runner import ask
from ftdist.inference.hf_model import HFModel
from tests.support.models.tiny_models import spread_tiny

QUESTIONS = ["How do I charge the Fernbot?", "Hello!"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return spread_tiny(tmp_path_factory)


@pytest.mark.timeout(300)
def test_replicas_on_all_gpus_answer_like_one_and_free_their_memory(
    made: Path, tmp_path: Path
) -> None:
    (tmp_path / "prose.txt").write_text("The lamp is green.\n\nA bee.\n")
    settings = replace(
        compose(["experiment=tiny"]).eval,
        perplexity_texts=str(tmp_path / "prose.txt"),
        general_questions="none",
        num_instructions=0,
        max_new_tokens=8,
    )
    inputs = EvalRequests.from_inputs(read_eval_set(settings, library=made / "library"))
    model = str(made / "model")
    one = ask(model, inputs, replace(settings, num_replicas=1), name="one", device="cuda")
    before = free_memory()
    every = ask(model, inputs, replace(settings, num_replicas=None), name="every", device="cuda")
    assert every.texts == one.texts
    assert free_memory() == pytest.approx(before, abs=2**26)


def test_a_model_split_over_all_gpus_answers_the_same(made: Path) -> None:
    whole, spread = (HFModel(made / "model", device="cuda", gpu=gpu) for gpu in (0, None))
    assert not whole.is_offloaded
    said = whole.answer(QUESTIONS, max_tokens=8, batch=2)
    assert spread.answer(QUESTIONS, max_tokens=8, batch=2) == said
