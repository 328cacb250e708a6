"""How long a run takes: from an earlier run, or from published rates, worked by hand."""

from dataclasses import replace
from pathlib import Path

import pytest

from ftdist.config.saved_config import save_config
from ftdist.config.schema import RunConfig
from ftdist.io.jsonl import append_json_line
from ftdist.observe.metrics import DATA_S, STEP_S
from ftdist.plan import duration
from ftdist.plan.describe import describe_duration
from ftdist.plan.duration import Duration, estimate_duration, flops_per_token
from ftdist.plan.plan import Plan
from ftdist.plan.planner import make_plan
from ftdist.rundir import RunDir
from tests.unit.plan.test_recipe import SMOLLM2, config, library, source

LIBRARY = library(source(tokens=10_240, sequences=20, answered=100, answers=100, longest=100))


def planned(root: Path, *overrides: str) -> tuple[RunConfig, Plan]:
    """10 steps of 1,024 tokens."""
    run = config(
        *(f"run.root={root}", "batch.tokens=1024", "batch.sequence_length=512"),
        *("optim.peak_lr=1e-4", "train.steps=10", "model.dtype=float32", *overrides),
    )
    return run, make_plan(run, model=SMOLLM2, library=LIBRARY)


@pytest.fixture(autouse=True)
def _model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duration, "read_model_info", lambda _: SMOLLM2)


def test_an_earlier_run_of_the_same_kind_gives_the_rate(tmp_path: Path) -> None:
    run, plan = planned(tmp_path)
    earlier = RunDir(tmp_path / "before")
    earlier.root.mkdir()
    earlier.plan.write_text(plan.to_json())
    save_config(run, earlier.config)
    for step_s in (9.0, 1.5, 2.5):  # with 0.5 s of waiting, the median is 3 s for 1,024 tokens
        append_json_line(earlier.metrics, {"step": 1, STEP_S.name: step_s, DATA_S.name: 0.5})
    found = estimate_duration(run, plan=plan)
    assert found.tokens_per_s == pytest.approx(1024 / 3)
    assert found.seconds == pytest.approx(30)
    assert found.basis == "measured in run before, median of 3 steps"
    # Other ranks or another model: not that kind.
    for word in ("cluster.tasks_per_node=2", "model.path=other"):
        other, other_plan = planned(tmp_path, word)
        assert "assumed" in estimate_duration(other, plan=other_plan).basis


def test_a_gpu_has_its_published_rate(tmp_path: Path) -> None:
    words = (
        "cluster.device=cuda",
        "cluster.tasks_per_node=2",
        "model.activation_checkpointing=false",
    )
    run, plan = planned(tmp_path, *words)
    # 6 N + 6 L H T = 807,090,048 + 53,084,160 FLOPs per token
    each = 6 * 134_515_008 + 6 * 30 * 576 * 512
    assert flops_per_token(run, plan=plan, model=SMOLLM2) == pytest.approx(each)
    found = estimate_duration(run, plan=plan, gpu="NVIDIA H100 80GB HBM3")
    assert found.tokens_per_s == pytest.approx(2 * 989e12 * 0.3 / each)
    assert found.basis == "published: H100, 989 TFLOP/s at 30% MFU"
    assert estimate_duration(run, plan=plan, gpu="unheard of").basis.startswith(
        "published: A100 assumed, 312 TFLOP/s"
    )
    assert "L40S" in estimate_duration(run, plan=plan, gpu="NVIDIA L40S").basis
    # One forward pass of three more with activation checkpointing.
    again, _ = planned(tmp_path, *words[:2])
    assert flops_per_token(again, plan=plan, model=SMOLLM2) == pytest.approx(each * 4 / 3)


def test_the_kl_to_the_base_costs_a_forward_pass_on_its_rows(tmp_path: Path) -> None:
    run, plan = planned(tmp_path, "model.activation_checkpointing=false")
    (own,) = plan.library.sources
    twice = replace(plan.library, sources=(own, replace(own, name="replay", kl_to_base=True)))
    before = flops_per_token(run, plan=plan, model=SMOLLM2)
    found = flops_per_token(run, plan=replace(plan, library=twice), model=SMOLLM2)
    assert found == pytest.approx(before * 3.5 / 3)  # a third more on half of the rows


def test_time_and_gpu_hours_are_shown_with_their_basis(tmp_path: Path) -> None:
    _, plan = planned(tmp_path, "cluster.device=cuda", "cluster.tasks_per_node=2")
    rows = describe_duration(Duration(seconds=5400, tokens_per_s=12_345, basis="known"), plan=plan)
    assert rows == [
        ("time for the steps", "about 1h30m at 12,000 tokens/s (known)"),
        ("GPU-hours", "about 3"),
    ]
