"""The metrics of a step."""

from dataclasses import replace

import pytest

from ftdist.train import metrics_row
from ftdist.train.metrics_row import StepReport, rank_lag
from tests.support.runs.fake_runs import plan_of, some_config


def test_the_last_rank_is_the_one_that_waits_least() -> None:
    assert rank_lag((0.5, 0.1, 0.3)) == {"time/rank_lag_s": 0.4, "throughput/last_rank": 1.0}


def test_a_single_rank_and_the_first_step_have_no_lag() -> None:
    assert rank_lag((0.2,)) == {}
    assert rank_lag((0.0, 0.0)) == {}


def test_the_loss_is_the_weighted_sum_and_those_of_sources_are_not_weighted() -> None:
    plan = plan_of(some_config(), ranks=1)
    own, *_ = plan.library.sources
    sources = (own, replace(own, name="replay", kl_to_base=True, loss_weight=2.0))
    library = replace(plan.library, sources=sources, context_distillation=0.25)
    plan = replace(plan, library=library)
    report = StepReport(
        loss_sums=[6.0, 3.0],
        distilled_cross_entropy=[8.0, 0.0],
        distillation=[4.0, 0.0],
        non_finite_ranks=(),
        grad_norm=1.0,
        skipped=False,
        peak_gib=1.0,
        wants_stop=False,
        waits_s=(0.0,),
        all_written=False,
    )
    # 6 + 2 x 3 + 3/4 x 8 + 1/4 x 4
    assert metrics_row._weighted_sum(report, plan) == pytest.approx(19.0)
    assert metrics_row._source_losses(report, (7, 6), plan=plan) == {
        "train/loss/library": 2.0,
        "train/loss/replay": 0.5,
    }
    assert metrics_row._distillation(report, 2) == {"train/loss/distillation": 2.0}
    assert metrics_row._distillation(report, 0) == {}
