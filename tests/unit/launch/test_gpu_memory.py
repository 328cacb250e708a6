"""Memory in use beside the plan; the room that a changed plan has, by hand."""

from dataclasses import replace
from pathlib import Path

import pytest
from ftdist_launch.gpu_memory import describe_memory, gib_for_plan, wanted_gib

from ftdist.rundir import RunDir
from tests.support.runs.fake_runs import plan_of, some_config

PLAN = plan_of(some_config(), ranks=2)
USED = {
    "free": 2.0,
    "total": 80.0,
    "allocated": 70.0,
    "reserved": 75.0,
    "peak_allocated": 72.0,
    "peak_reserved": 75.0,
}


@pytest.mark.parametrize(
    ("text", "gib"),
    [
        ("Tried to allocate 2.50 GiB.", 2.5),
        ("Tried to allocate 512.00 MiB (GPU 0)", 0.5),
        ("CUDA error: out of memory", None),
    ],
)
def test_what_was_wanted_is_read_from_the_message(text: str, gib: float | None) -> None:
    assert wanted_gib(text) == gib


def test_a_plan_that_was_too_low_is_scaled_by_what_torch_needed() -> None:
    # 78 GiB are in use, 3 of them not by this torch: it may have 77. It needed 75 + 2 where the
    # plan had 70, a tenth more: a plan may expect 70. With 12 more wanted, 77 * 70 / 87.
    plan = replace(PLAN, device_gib=70.0)
    assert gib_for_plan(plan, wanted=2.0, used=USED) == pytest.approx(70.0)
    assert gib_for_plan(plan, wanted=12.0, used=USED) == pytest.approx(61.954, abs=1e-3)


def test_without_measurements_a_change_must_save_a_fifth() -> None:
    assert gib_for_plan(PLAN, wanted=2.0, used=None) == pytest.approx(0.8 * PLAN.device_gib)


def test_use_and_plan_stand_side_by_side(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    plan = replace(PLAN, activations_gib=38.0, optimizer_gib=12.0, device_gib=61.5)
    run.plan.write_text(plan.to_json())
    text = describe_memory(run, message="Tried to allocate 2.00 GiB", used=USED)
    assert text.startswith(
        "78.00 of 80.00 GiB were in use, 75.00 of them by this rank's torch, 70.00 in tensors (at "
        "most 72.00); 2.00 GiB more were wanted; the plan expected 61.50 GiB (activations 38.00 "
        "GiB, optimizer 12.00 GiB"
    )
