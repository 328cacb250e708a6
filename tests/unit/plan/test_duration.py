"""How long a run takes: from an earlier run, or from published rates, worked by hand."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ftdist.config.saved_config import save_config
from ftdist.config.schema import RunConfig
from ftdist.io.jsonl import append_json_line, read_json_lines
from ftdist.observe.metrics import DATA_S, STEP_S
from ftdist.plan import duration
from ftdist.plan.describe import describe_duration
from ftdist.plan.duration import Duration, estimate_duration
from ftdist.plan.flops import step_flops
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


def measured(root: Path, *overrides: str, name: str = "before") -> RunDir:
    """A run with three steps of 1,024 tokens; with 0.5 s of waiting, the median is 3 s."""
    run, plan = planned(root, *overrides)
    earlier = RunDir(root / name)
    earlier.attempt(1).mkdir(parents=True)
    earlier.plan.write_text(plan.to_json())
    save_config(run, earlier.attempt(1) / "config.yaml")
    for each in (9.0, 1.5, 2.5):
        add_row(earlier, attempt=1, step_s=each)
    return earlier


def add_row(run: RunDir, *, attempt: int, step_s: float) -> None:
    row = {"step": 1, "attempt": attempt, STEP_S.name: step_s, DATA_S.name: 0.5}
    append_json_line(run.metrics, row)


def test_an_earlier_run_of_the_same_kind_gives_the_rate(tmp_path: Path) -> None:
    measured(tmp_path)
    run, plan = planned(tmp_path)
    found = estimate_duration(run, plan=plan)
    assert found.tokens_per_s == pytest.approx(1024 / 3)
    assert found.seconds == pytest.approx(30)
    assert found.basis == "measured in run before, median of 3 steps"


@pytest.mark.parametrize(
    "word",
    [
        "cluster.tasks_per_node=2",
        "model.path=other",
        "batch.sequence_length=1024",
        "batch.micro_batch_size=2",
        "model.activation_checkpointing=false",
        "engine=zero3_offload",
        "cluster=slurm",
        "optim.freeze_params=[embed]",
    ],
)
def test_a_run_with_other_settings_is_not_of_the_same_kind(tmp_path: Path, word: str) -> None:
    measured(tmp_path)
    run, plan = planned(tmp_path, word)
    plan = replace(plan, frozen_parameters=10) if "freeze" in word else plan
    assert "assumed" in estimate_duration(run, plan=plan).basis


def test_a_run_on_another_partition_or_machine_is_not_of_the_same_kind(tmp_path: Path) -> None:
    earlier = measured(tmp_path, "cluster=slurm", "cluster.partition=h100", "cluster.device=cpu")
    words = ("cluster=slurm", "cluster.device=cpu")
    for name, expected in (("h100", "measured"), ("a100", "assumed")):
        run, plan = planned(tmp_path, *words, f"cluster.partition={name}")
        assert expected in estimate_duration(run, plan=plan).basis
    shutil.rmtree(earlier.root)
    here = measured(tmp_path)
    here.append_event("attempt_started", attempt=1, host="elsewhere")
    run, plan = planned(tmp_path)
    assert "assumed" in estimate_duration(run, plan=plan).basis


def test_only_the_rows_of_the_last_attempt_count(tmp_path: Path) -> None:
    earlier = measured(tmp_path)
    run, plan = planned(tmp_path)
    earlier.attempt(2).mkdir()
    save_config(run, earlier.attempt(2) / "config.yaml")
    for _ in range(3):
        add_row(earlier, attempt=2, step_s=0.5)
    found = estimate_duration(run, plan=plan)
    assert found.tokens_per_s == pytest.approx(1024)
    assert "median of 3 steps" in found.basis


def test_of_several_runs_the_newest_is_used_and_older_ones_are_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for age, name in enumerate(("new", "old")):
        earlier = measured(tmp_path, name=name)
        os.utime(earlier.metrics, (1000 - age, 1000 - age))
    read: list[Path] = []

    def record(path: Path) -> Iterator[dict[str, Any]]:
        read.append(path)
        yield from read_json_lines(path)

    monkeypatch.setattr(duration, "read_json_lines", record)
    run, plan = planned(tmp_path)
    assert "measured in run new" in estimate_duration(run, plan=plan).basis
    assert read == [tmp_path / "new" / "metrics.jsonl"]


def test_a_gpu_has_a_computed_rate_and_says_which_was_assumed(tmp_path: Path) -> None:
    run, plan = planned(tmp_path, "cluster.device=cuda", "cluster.tasks_per_node=2")
    found = estimate_duration(run, plan=plan, gpu="NVIDIA H100 80GB HBM3")
    # MFU: 6 N = 807,090,048 FLOPs per token, of 2 x 989 TFLOP/s
    mfu = 807_090_048 * found.tokens_per_s / (2 * 989e12)
    assert found.basis == f"computed for H100, {mfu:.0%} MFU"
    assert 0 < mfu < 0.5
    assert estimate_duration(run, plan=plan, gpu="unheard of").basis.startswith(
        "computed for the speed of unheard of is not known, A100 assumed, "
    )


def test_a_cpu_computes_the_recomputed_forward_pass_too(tmp_path: Path) -> None:
    run, plan = planned(tmp_path)
    other, _ = planned(tmp_path, "model.activation_checkpointing=false")
    slow, fast = (estimate_duration(each, plan=plan).seconds for each in (run, other))
    assert slow == pytest.approx(fast * 4 / 3)


def test_flops_of_a_step_by_term(tmp_path: Path) -> None:
    run, plan = planned(tmp_path)
    (own,) = plan.library.sources
    twice = replace(plan.library, sources=(own, replace(own, name="replay", kl_to_base=True)))
    plan = replace(plan, library=twice, frozen_parameters=1_000_000)
    found = step_flops(run, plan=plan, model=SMOLLM2)
    forward = 2 * (134_515_008 + 30 * 576 * 512)
    assert found.weights == 6 * 134_515_008 - 2 * 1_000_000
    assert found.attention == 6 * 30 * 576 * 512
    assert found.reference == pytest.approx(forward / 2)  # of the base model, on half of the rows
    assert found.recomputation == forward
    assert found.model == found.weights + found.attention + found.reference
    assert found.hardware == found.model + found.recomputation


def test_time_and_gpu_hours_are_shown_with_their_basis(tmp_path: Path) -> None:
    _, plan = planned(tmp_path, "cluster.device=cuda", "cluster.tasks_per_node=2")
    rows = describe_duration(Duration(seconds=5400, tokens_per_s=12_345, basis="known"), plan=plan)
    assert rows == [
        ("time for the steps", "about 1h30m at 12,000 tokens/s (known)"),
        ("GPU-hours", "about 3"),
    ]
