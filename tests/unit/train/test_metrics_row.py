"""The metrics of a step."""

from ftdist.train.metrics_row import rank_lag


def test_the_last_rank_is_the_one_that_waits_least() -> None:
    assert rank_lag((0.5, 0.1, 0.3)) == {"time/rank_lag_s": 0.4, "throughput/last_rank": 1.0}


def test_a_single_rank_and_the_first_step_have_no_lag() -> None:
    assert rank_lag((0.2,)) == {}
    assert rank_lag((0.0, 0.0)) == {}
