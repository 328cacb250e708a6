"""Which steps are sound, and where a loss spike begins."""

import math

import pytest

from ftdist.train.step_health import MIN_STEPS, WINDOW, LossHistory, Measured

pytestmark = pytest.mark.fault("N2")


def measured(done: int, loss: float, *, grad_norm: float = 1.0, skipped: bool = False) -> Measured:
    return Measured(done=done, loss=loss, grad_norm=grad_norm, skipped=skipped)


def after(losses: list[float], *, threshold: float | None = 8.0) -> LossHistory:
    health = LossHistory(threshold=threshold)
    for done, loss in enumerate(losses, start=1):
        assert health.update(measured(done, loss)) is None
    return health


def test_a_loss_8_deviations_above_the_median_is_a_spike_and_the_limit_is_none() -> None:
    # Median 2. Of 15 changes 8 are of 0.2 and 7 of 0.4: a deviation of 1.4826 x 0.2 / 1.41421.
    losses = [1.8, 2.0, 2.2, 2.0, 1.8, 2.2, 1.8, 2.2] * 2
    limit = 2.0 + 8 * 0.209671
    health = after(losses)
    assert health.update(measured(17, limit - 1e-4)) is None
    assert health.is_sound
    spike = after(losses).update(measured(17, limit + 1e-4))
    assert spike is not None
    assert (spike.done, spike.median) == (17, 2.0)
    assert spike.limit == pytest.approx(limit, abs=1e-4)


def test_equal_losses_count_as_deviating_by_5_percent() -> None:
    health = after([1.0] * MIN_STEPS)
    assert health.update(measured(17, 1.39)) is None
    assert health.update(measured(18, 1.41)) is not None  # 1 + 8 x 0.05


def test_a_loss_that_falls_fast_hides_no_spike() -> None:
    # 13, 12.5, ..., 5.5: the median is 9.25, every change 0.5, the floor 0.4625.
    health = after([13.0 - 0.5 * n for n in range(MIN_STEPS)])
    assert health.update(measured(17, 9.25 + 8 * 0.5242 + 0.01)) is not None


def test_nothing_is_a_spike_before_16_steps_or_without_a_threshold() -> None:
    after([1.0] * (MIN_STEPS - 1) + [50.0])
    after([1.0] * MIN_STEPS + [50.0], threshold=None)


def test_a_spike_of_several_steps_begins_once_and_does_not_raise_the_median() -> None:
    health = after([1.0] * MIN_STEPS)
    assert [health.update(measured(17 + n, 9.0)) is not None for n in range(4)] == [
        *(True, False, False, False)
    ]
    assert not health.is_sound
    assert health.update(measured(21, 1.0)) is None
    assert health.is_sound
    spike = health.update(measured(22, 9.0))
    assert spike is not None
    assert spike.median == 1.0


def test_64_high_losses_in_a_row_are_the_new_normal() -> None:
    health = after([1.0] * MIN_STEPS)
    for n in range(WINDOW):
        health.update(measured(17 + n, 9.0))
    after_them = [health.update(measured(100 + n, 9.0)) for n in range(MIN_STEPS + 1)]
    assert after_them == [None] * (MIN_STEPS + 1)
    assert health.is_sound
    assert health.update(measured(200, 1.0)) is None
    assert health.update(measured(201, 30.0)) is not None


@pytest.mark.fault("N1")
@pytest.mark.parametrize(
    "bad",
    [
        measured(3, math.nan),
        measured(3, 1.0, grad_norm=math.inf),
        measured(3, 1.0, skipped=True),
    ],
)
def test_steps_that_are_not_finite_are_counted_until_one_is(bad: Measured) -> None:
    health = after([1.0, 1.0])
    health.update(bad)
    health.update(bad)
    assert (health.num_skipped, health.is_sound) == (2, False)
    assert health.losses == [1.0, 1.0]
    health.update(measured(5, 1.0))
    assert (health.num_skipped, health.is_sound) == (0, True)


@pytest.mark.fault("M7")
def test_a_gradient_more_than_100_times_the_median_is_not_sound_but_no_spike() -> None:
    health = after([1.0] * MIN_STEPS)
    assert health.update(measured(17, 1.0, grad_norm=101.0)) is None
    assert not health.is_sound
    health.update(measured(18, 1.0, grad_norm=99.0))
    assert health.is_sound
