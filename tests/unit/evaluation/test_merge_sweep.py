"""Weights between base and tuned."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from ftdist.checkpoint.merge_setting import MergeSetting
from ftdist.checkpoint.weight_interpolation import write_merged_model
from ftdist.errors import ConfigError, ModelError
from ftdist.evaluation.eval_set import EvalSet
from ftdist.evaluation.merge_sweep import gain_score, with_choice
from ftdist.evaluation.probes import Probe
from ftdist.evaluation.scoring.aggregate import JudgedAnswers
from ftdist.evaluation.scoring.judge import AnswerVerdict
from ftdist.evaluation.selection import choose, lowest_loss, retains_general_knowledge

HALF = MergeSetting(alpha=0.5)


def folder(path: Path, **weights: list[float]) -> Path:
    path.mkdir()
    save_file(
        {name: torch.tensor(values) for name, values in weights.items()}, path / "model.safetensors"
    )
    (path / "config.json").write_text(path.name)
    return path


def test_a_merged_model_interpolates_base_and_tuned(tmp_path: Path) -> None:
    base = folder(tmp_path / "base", a=[1.0, 2.0], b=[0.0])
    tuned = folder(tmp_path / "tuned", a=[2.0, 0.0], b=[8.0])
    for alpha, a, b in (
        (0.0, [1.0, 2.0], [0.0]),
        (0.25, [1.25, 1.5], [2.0]),
        (1.0, [2.0, 0.0], [8.0]),
    ):
        write_merged_model(base, tuned, tmp_path / "out", setting=MergeSetting(alpha=alpha))
        mixed = load_file(tmp_path / "out" / "model.safetensors")
        assert mixed["a"].tolist() == a
        assert mixed["b"].tolist() == b
    assert (tmp_path / "out" / "config.json").read_text() == "tuned"


def test_a_merged_model_of_bfloat16_is_rounded_once(tmp_path: Path) -> None:
    # First: 3 + 0.75 (-1.0078125 - 3) = -0.005859375. Step by step in bfloat16, whose neighbours
    # are 1/32 apart at 4, the difference is -4, its part -3 and the result 0; as 0.25 of the one
    # and 0.75 of the other, 0.75 - 0.755859375 is 0.75 - 0.7578125.
    # Second: 1.005859375, between the neighbours 1 and 1.0078125 and nearer to the second.
    for name, values in (("base", [3.0, 1.0]), ("tuned", [-1.0078125, 1.0078125])):
        (tmp_path / name).mkdir()
        save_file(
            {"a": torch.tensor(values, dtype=torch.bfloat16)}, tmp_path / name / "m.safetensors"
        )
    write_merged_model(
        tmp_path / "base", tmp_path / "tuned", tmp_path / "out", setting=MergeSetting(alpha=0.75)
    )
    mixed = load_file(tmp_path / "out" / "m.safetensors")["a"]
    assert mixed.dtype == torch.bfloat16
    assert mixed.tolist() == [-0.005859375, 1.0078125]


def test_the_largest_part_of_each_update_is_trimmed(tmp_path: Path) -> None:
    # a moves by 4, -1, 2, 0: without the largest quarter, its first element is the base's.
    base = folder(tmp_path / "base", a=[1.0, 1.0, 1.0, 1.0], b=[0.0, 0.0, 0.0, 0.0])
    tuned = folder(tmp_path / "tuned", a=[5.0, 0.0, 3.0, 1.0], b=[8.0, -2.0, 2.0, -9.0])
    setting = MergeSetting(alpha=0.5, trim_largest=0.25)
    write_merged_model(base, tuned, tmp_path / "out", setting=setting, factors={"b": 0.5})
    mixed = load_file(tmp_path / "out" / "model.safetensors")
    assert mixed["a"].tolist() == [1.0, 0.5, 2.0, 1.0]
    assert mixed["b"].tolist() == [2.0, -0.5, 0.5, 0.0]  # alpha 0.25; the largest is the last


def test_an_update_is_added_to_another_model(tmp_path: Path) -> None:
    base = folder(tmp_path / "base", **{"model.a": [1.0, 2.0]})
    tuned = folder(tmp_path / "tuned", **{"model.a": [2.0, 0.0]})
    (tuned / "README.md").write_text("card")
    (tuned / "chat_template.jinja").write_text("learned")
    onto = tmp_path / "onto"
    onto.mkdir()
    weights = torch.tensor([10.0, 20.0], dtype=torch.bfloat16)
    save_file({"a": weights}, onto / "other-name.safetensors")  # of a bare backbone
    for name in ("config.json", "README.md", "tokenizer.json", "weights.bin"):
        (onto / name).write_text("onto")
    out = tmp_path / "out"
    write_merged_model(base, tuned, out, setting=HALF, onto=onto)
    mixed = load_file(out / "model.safetensors")["model.a"]
    assert mixed.tolist() == [10.5, 19.0]
    assert mixed.dtype == torch.bfloat16
    assert {f.name: f.read_text() for f in out.iterdir() if f.suffix != ".safetensors"} == {
        "README.md": "card",
        "chat_template.jinja": "learned",
        "config.json": "onto",
        "tokenizer.json": "onto",
    }  # fmt: skip
    (onto / "chat_template.jinja").write_text("onto's own")
    write_merged_model(base, tuned, out, setting=HALF, onto=onto)
    assert (out / "chat_template.jinja").read_text() == "onto's own"
    longer = folder(tmp_path / "longer", **{"model.a": [1.0, 1.0, 1.0]})
    with pytest.raises(ModelError, match=r"the model of merge\.onto has it as \[3\]"):
        write_merged_model(base, tuned, out, setting=HALF, onto=longer)


def test_a_different_base_is_refused_with_the_differing_weight(tmp_path: Path) -> None:
    tuned = folder(tmp_path / "tuned", a=[2.0, 0.0])
    with pytest.raises(ModelError, match=r"tuned model's a is \[2\], and the base model does not"):
        write_merged_model(
            folder(tmp_path / "empty", b=[1.0]), tuned, tmp_path / "out", setting=HALF
        )
    with pytest.raises(ModelError, match=r"the base model has it as \[3\]"):
        write_merged_model(
            folder(tmp_path / "longer", a=[1.0] * 3), tuned, tmp_path / "out", setting=HALF
        )


def test_an_alpha_outside_0_to_1_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"alpha=1\.5 is not between 0 and 1"):
        write_merged_model(tmp_path, tmp_path, tmp_path / "out", setting=MergeSetting(alpha=1.5))


def point(
    alpha: float, *, recall: float, leak: float, loss: float, best: float = 0.01,
    worst: float = -0.05, n: int = 64,
) -> dict[str, Any]:  # fmt: skip
    return {
        "alpha": alpha,
        "gain_score": recall,
        "tuned": {"leak_rate": 1.0, "out_of_scope_failure_rate": leak},
        "paired": {"general_mc_accuracy": {"low_95": worst, "high_95": best, "n": n}},
        "general_nll": {"difference": loss},
    }


def test_the_largest_gain_among_models_with_retention_is_selected() -> None:
    points = [
        point(0.5, recall=0.6, leak=0.1, loss=0.0),
        point(0.75, recall=0.9, leak=0.2, loss=0.02),  # 0.7: the most, and just keeps
        point(1.0, recall=1.0, leak=0.0, loss=0.021),  # keeps too little general text
    ]
    assert choose(points, max_loss_increase=0.02, order="alpha") == 1
    worse = [*points[:1], point(0.75, recall=0.9, leak=0.2, loss=0.0, best=-0.001)]
    # General questions are clearly worse.
    assert choose(worse, max_loss_increase=0.02, order="alpha") == 0


@pytest.mark.parametrize(
    ("n", "worst", "best", "is_kept"),
    [
        (1000, -0.029, 0.0, True),
        (1000, -0.03, 0.01, False),
        (1000, -0.027, -0.006, False),
        (999, -0.2, 0.0, True),
        (999, -0.2, -0.006, False),
    ],
)
def test_general_retention_depends_on_significance_and_number_of_questions(
    n: int, worst: float, best: float, is_kept: bool
) -> None:
    found = point(1.0, recall=0.9, leak=0.0, loss=0.0, worst=worst, best=best, n=n)
    assert retains_general_knowledge(found, max_loss_increase=0.02) is is_kept


def test_ties_select_the_merged_model_nearest_to_the_base() -> None:
    points = [point(alpha, recall=0.9, leak=0.1, loss=0.0) for alpha in (1.0, 0.6, 0.8)]
    assert choose(points, max_loss_increase=0.02, order="alpha") == 1


def test_without_retention_the_smallest_loss_is_selected() -> None:
    points = [
        point(0.5, recall=0.1, leak=0.0, loss=0.3),
        point(0.25, recall=0.0, leak=0.0, loss=0.1),
    ]
    assert choose(points, max_loss_increase=0.02, order="alpha") is None
    assert lowest_loss(points) == 1
    output = with_choice(points, max_loss_increase=0.02)
    assert (output["chosen"], output["retention_ok"]) == (1, False)
    output = with_choice(points, max_loss_increase=0.3)
    assert (output["chosen"], output["retention_ok"]) == (0, True)


def test_the_base_is_never_selected_as_the_merged_model() -> None:
    base = point(0.0, recall=0.9, leak=0.0, loss=0.0)  # gains most, and loses nothing
    points = [base, point(1.0, recall=0.1, leak=0.0, loss=0.3),
              point(0.5, recall=0.0, leak=0.0, loss=0.1)]  # fmt: skip
    output = with_choice(points, max_loss_increase=0.3)
    assert (output["chosen"], output["retention_ok"]) == (1, True)
    output = with_choice(points, max_loss_increase=0.02)
    assert (output["chosen"], output["retention_ok"]) == (2, False)
    assert output["candidates"] == points


def test_retention_ok_is_none_without_measurements() -> None:
    points = [point(alpha, recall=alpha, leak=0.0, loss=0.0) for alpha in (1.0, 0.5)]
    for measured in points:
        del measured["general_nll"]
    output = with_choice(points, max_loss_increase=0.02)
    assert (output["chosen"], output["retention_ok"]) == (0, True)  # by the general questions
    for measured in points:
        measured["paired"]["general_mc_accuracy"] |= {"high_95": -0.1}
    output = with_choice(points, max_loss_increase=0.02)
    assert (output["chosen"], output["retention_ok"]) == (1, False)  # the nearest to the base
    for measured in points:
        del measured["paired"]["general_mc_accuracy"]
    output = with_choice(points, max_loss_increase=0.02)
    assert (output["chosen"], output["retention_ok"]) == (0, None)


def test_a_fact_needs_the_correct_answer_and_any_correct_page() -> None:
    recall = Probe(question="q", answer="a", keys=("a",), kind="fact")
    other = Probe(question="o", answer="a", keys=(), kind="out_of_scope")
    eval_set = EvalSet(
        probes=(recall, recall, recall, other), general=(), texts=(), source=Path("p")
    )
    verdicts = [
        AnswerVerdict(right=True),  # no page to name
        AnswerVerdict(right=True, page=False),
        AnswerVerdict(right=True, page=True),
        AnswerVerdict(right=False),
    ]
    assert gain_score(eval_set, JudgedAnswers(probes=verdicts, general=[], losses=[])) == 2 / 3
