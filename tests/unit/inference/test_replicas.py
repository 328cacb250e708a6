"""Copies of a model that answer side by side, each a real process."""

from dataclasses import replace
from pathlib import Path

import pytest

from ftdist.config.compose import compose
from ftdist.config.schema import EvalConfig
from ftdist.errors import ModelError
from ftdist.evaluation.eval_requests import Answers, EvalRequests, PassageAnswer, PassagePrompt
from ftdist.evaluation.eval_set import EvalSet, read_eval_set
from ftdist.evaluation.runner import ask
from ftdist.inference.hf_model import HFModel
from ftdist.inference.replicas import ReplicaPlan, replicas_on_gpus
from tests.support.models.tiny_models import spread_tiny

GIB = 2**30


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return spread_tiny(tmp_path_factory)


@pytest.fixture
def inputs(made: Path, settings: EvalConfig) -> EvalSet:
    return read_eval_set(settings, library=made / "library")


@pytest.fixture
def settings(tmp_path: Path) -> EvalConfig:
    texts = tmp_path / "prose.txt"
    texts.write_text("The lamp is green.\n\nA bee.\n\nTwo cups of tea stand on the table.\n")
    asked = compose(["experiment=tiny"]).eval
    return replace(
        asked,
        perplexity_texts=str(texts),
        general_questions="none",
        num_instructions=0,
        max_new_tokens=8,
        batch_size=4,
    )


@pytest.mark.parametrize(
    ("free", "wanted", "expected"),
    [
        ([24, 24, 24, 24], None, ReplicaPlan(gpus=(0, 1, 2, 3))),
        ([24, 24, 24, 24], 2, ReplicaPlan(gpus=(0, 1))),
        ([24, 24], 8, ReplicaPlan(gpus=(0, 1))),
        ([13], None, ReplicaPlan(gpus=(0,))),
        ([12], None, ReplicaPlan(gpus=(None,))),
        ([12, 12], 2, ReplicaPlan(gpus=(None,))),
        ([12, 24, 2, 24], None, ReplicaPlan(gpus=(1, 3))),
        ([12, 24], 1, ReplicaPlan(gpus=(1,))),
    ],
)
def test_one_replica_per_gpu_with_room_or_one_over_all_gpus(
    free: list[int], wanted: int | None, expected: ReplicaPlan
) -> None:
    """10 GiB of weights take 13 while they answer."""
    assert (
        replicas_on_gpus(10 * GIB, free=[gib * GIB for gib in free], num_replicas=wanted)
        == expected
    )


def test_each_request_goes_to_one_replica_and_results_keep_their_order() -> None:
    asked = EvalRequests(
        questions=list("abcde"),
        choices=[(letter,) for letter in "abcde"],
        general=[("f", ("x", "y"))],
        texts=list("ghij"),
        tasks=[],
        prompts=[PassagePrompt(letter, (letter,)) for letter in "klmn"],
    )
    shares = [asked.share(number, of=3) for number in range(3)]
    assert [list(share.questions) for share in shares] == [["a", "d"], ["b", "e"], ["c"]]
    said = [
        Answers(
            texts=[text.upper() for text in share.questions],
            truncated=[text in "bd" for text in share.questions],
            likelihoods=[[float(ord(choice)) for choice in row] for row in share.choices],
            general=[[1.0, 2.0] for _ in share.general],
            losses=[(float(ord(text)), 1) for text in share.texts],
            tasks={},
            took_s=1.0,
            with_passages=[PassageAnswer(each.question, False, False) for each in share.prompts],
        )
        for share in shares
    ]
    whole = Answers.merged(said, took_s=5.0)
    assert whole.texts == list("ABCDE")
    assert whole.truncated == [False, True, False, True, False]
    assert whole.likelihoods == [[float(ord(letter))] for letter in "abcde"]
    assert whole.general == [[1.0, 2.0]]
    assert whole.losses == [(float(ord(letter)), 1) for letter in "ghij"]
    assert [answer.text for answer in whole.with_passages] == list("klmn")
    assert whole.took_s == 5.0


@pytest.mark.timeout(300)
def test_two_replicas_answer_like_one(
    made: Path, inputs: EvalSet, settings: EvalConfig, capfd: pytest.CaptureFixture[str]
) -> None:
    question = inputs.probes[0].question
    prompts = [
        PassagePrompt(question, ("Set it on the moss pad.",)),
        PassagePrompt(question, ("The moss pad is green. " * 200, "Rain water.")),
        PassagePrompt(question, ("Rain water.",)),
    ]
    one, two = (
        ask(
            str(made / "model"),
            EvalRequests.from_inputs(inputs, prompts=prompts),
            replace(settings, num_replicas=copies),
            name="m",
            device="cpu",
        )
        for copies in (1, 2)
    )
    assert two.texts == one.texts
    assert len(set(one.texts)) > 1
    assert two.with_passages == one.with_passages
    assert [answer.shortened for answer in one.with_passages] == [False, True, False]
    assert one.with_passages[0].text != one.with_passages[2].text
    for found, expected in zip(two.likelihoods, one.likelihoods, strict=True):
        assert found == pytest.approx(expected, abs=1e-5)
    assert [tokens for _, tokens in two.losses] == [tokens for _, tokens in one.losses]
    assert [loss for loss, _ in two.losses] == pytest.approx([loss for loss, _ in one.losses])
    output = capfd.readouterr().out
    assert "m: loading" in output
    assert ", 2 replicas\n" in output
    assert "compare: m 2/2: answers" in output


@pytest.mark.timeout(300)
def test_a_replica_that_dies_is_one_clear_error(
    made: Path,
    inputs: EvalSet,
    settings: EvalConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys\nif '--multiprocessing-fork' in sys.orig_argv: os._exit(9)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(ModelError, match=r"process of m 1/2 died during the evaluation") as caught:
        ask(
            str(made / "model"), EvalRequests.from_inputs(inputs),
            replace(settings, num_replicas=2), name="m", device="cpu",
        )  # fmt: skip
    assert "eval.num_replicas" in caught.value.remedy


def test_a_model_split_over_devices_answers_the_same(made: Path) -> None:
    questions = ["How do I charge the Fernbot?", "Hello!"]
    whole, spread = (HFModel(made / "model", device="cpu", gpu=gpu, threads=1) for gpu in (0, None))
    said = whole.answer(questions, max_tokens=8, batch=2)
    assert spread.answer(questions, max_tokens=8, batch=2) == said
