"""The learning rate as a function of the step, worked by hand."""

import math
from dataclasses import replace

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
def test_warmup_is_linear_and_peaks_at_its_last_step(optim: OptimConfig, schedule: str) -> None:
    config = replace(optim, schedule=schedule)  # type: ignore[arg-type]
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


def test_a_single_step_has_a_positive_lr(optim: OptimConfig) -> None:
    assert learning_rate(0, total_steps=1, config=optim) == pytest.approx(0.1)


def test_norms_and_biases_are_not_decayed() -> None:
    shapes = {
        "embed.weight": (10, 4),
        "norm.weight": (4,),
        "proj.weight": (4, 4),
        "proj.bias": (4,),
    }
    assert decayed_names(shapes) == {"embed.weight", "proj.weight"}
