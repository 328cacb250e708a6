"""The learning rate as a function of the step, worked by hand."""

import math
from dataclasses import replace
from typing import Literal

import pytest

from ftdist.config.compose import compose
from ftdist.config.schema import OptimConfig
from ftdist.nn.optim import decayed_names, learning_rate


@pytest.fixture
def optim() -> OptimConfig:
    """Ten warm-up steps of a hundred, peak 1.0, final 0.1."""
    config = compose(["model.path=m", "library.path=l", "run.name=r"]).optim
    return replace(config, peak_lr=1.0, warmup_ratio=0.1, final_lr_ratio=0.1, decay_ratio=0.2)


def rates(config: OptimConfig, *steps: int) -> list[float]:
    return [learning_rate(step, total_steps=100, config=config) for step in steps]


@pytest.mark.parametrize("schedule", ["cosine", "linear", "constant", "wsd"])
def test_warmup_is_linear_and_peaks_at_its_last_step(
    optim: OptimConfig, schedule: Literal["cosine", "linear", "constant", "wsd"]
) -> None:
    config = replace(optim, schedule=schedule)
    assert rates(config, 0, 4, 9) == pytest.approx([0.1, 0.5, 1.0])


def test_cosine_is_halfway_at_the_midpoint_and_final_at_the_end(optim: OptimConfig) -> None:
    config = replace(optim, schedule="cosine")
    # 45 of 90 steps after warm-up: 0.1 + 0.9 * (1 + cos(pi / 2)) / 2; a third: cos(pi / 3) = 0.5
    assert rates(config, 54, 39, 99) == pytest.approx([0.55, 0.1 + 0.9 * 0.75, 0.1])


def test_linear_schedule_decays_linearly(optim: OptimConfig) -> None:
    config = replace(optim, schedule="linear")
    assert rates(config, 10, 54, 99) == pytest.approx([1.0 - 0.9 / 90, 0.55, 0.1])


def test_constant_schedule_is_constant(optim: OptimConfig) -> None:
    assert rates(replace(optim, schedule="constant"), 10, 99) == [1.0, 1.0]


def test_wsd_is_constant_then_decays_over_its_last_fifth(optim: OptimConfig) -> None:
    config = replace(optim, schedule="wsd")
    assert rates(config, 79, 89, 99) == pytest.approx([1.0, 0.55, 0.1])


def test_without_warmup_the_schedule_starts_at_its_first_value(optim: OptimConfig) -> None:
    config = replace(optim, warmup_ratio=0.0, schedule="cosine")
    assert rates(config, 0) == pytest.approx([0.1 + 0.9 * (1 + math.cos(math.pi / 100)) / 2])


SHORT_RUNS = {
    # p is (step - warm-up) / (steps - warm-up); linear from 1.0 to 0.1: 1 - 0.9 p
    1: [1.0],
    2: [1.0, 0.55],
    3: [1.0, 0.7, 0.4],
    4: [1.0, 0.775, 0.55, 0.325],
    5: [1.0, 0.82, 0.64, 0.46, 0.28],  # 0.1 x 5 is rounded to 0 warm-up steps
    6: [1.0, 1.0, 0.82, 0.64, 0.46, 0.28],  # 0.6 is rounded to 1
    7: [1.0, 1.0, 0.85, 0.7, 0.55, 0.4, 0.25],
    8: [1.0, *(1 - 0.9 * done / 7 for done in range(7))],
    9: [1.0, *(1 - 0.9 * done / 8 for done in range(8))],
    10: [1.0, *(1 - 0.9 * done / 9 for done in range(9))],
}


@pytest.mark.parametrize("steps", SHORT_RUNS)
def test_a_short_run_has_a_step_at_the_peak_rate_and_none_at_the_final_one(
    optim: OptimConfig, steps: int
) -> None:
    config = replace(optim, schedule="linear")
    found = [learning_rate(step, total_steps=steps, config=config) for step in range(steps)]
    assert found == pytest.approx(SHORT_RUNS[steps])
    for schedule in ("cosine", "constant", "wsd"):
        other = replace(optim, schedule=schedule)
        found = [learning_rate(step, total_steps=steps, config=other) for step in range(steps)]
        assert max(found) == 1.0
        assert min(found) > 0.1


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        # a fifth, at least one step, has fallen half-way; of two steps, by 1/3 and 2/3
        (1, [1.0]),
        (2, [1.0, 0.55]),
        (3, [1.0, 1.0, 0.55]),
        (5, [1.0, 1.0, 1.0, 1.0, 0.55]),
        (10, [*[1.0] * 8, 0.7, 0.4]),
        (11, [*[1.0] * 9, 0.55, 0.1]),
    ],
)
def test_wsd_decays_in_a_short_run_too(
    optim: OptimConfig, steps: int, expected: list[float]
) -> None:
    config = replace(optim, schedule="wsd", warmup_ratio=0.0)
    found = [learning_rate(step, total_steps=steps, config=config) for step in range(steps)]
    assert found == pytest.approx(expected)


def test_the_shortest_run_that_falls_to_the_final_rate_has_11_steps(optim: OptimConfig) -> None:
    config = replace(optim, schedule="linear")
    rates_of_11 = [learning_rate(step, total_steps=11, config=config) for step in (0, 1, 10)]
    assert rates_of_11 == pytest.approx([1.0, 1.0 - 0.9 / 10, 0.1])


def test_norms_and_biases_are_not_decayed() -> None:
    shapes = {
        "embed.weight": (10, 4),
        "norm.weight": (4,),
        "proj.weight": (4, 4),
        "proj.bias": (4,),
    }
    assert decayed_names(shapes) == {"embed.weight", "proj.weight"}
