"""Which step is the best, and when training has gone on for long enough without a better one."""

from typing import Any

from ftdist.evaluation.best_checkpoint import BestCheckpointTracker


def point(
    step: int, *, known: float, loss: float = 0.0, worse: bool = False, logprob: float = -1.0
) -> dict[str, Any]:
    return {
        "step": step,
        "gain_score": known,
        "answer_logprob_per_byte": logprob,
        "paired": {"general_mc_accuracy": {"high_95": -0.01 if worse else 0.05, "n": 64}},
        "general_nll": {"difference": loss},
    }


def standing(*, patience: int = 0) -> BestCheckpointTracker:
    return BestCheckpointTracker(max_loss_increase=0.02, patience=patience)


def measured(found: BestCheckpointTracker, step: int, **more: Any) -> tuple[bool, bool]:
    found.add(point(step, **more))
    judgement = found.judge(step)
    return judgement.is_best, judgement.ends


def test_the_best_gains_more_and_retains_enough() -> None:
    found = standing()
    assert measured(found, 2, known=-2.0) == (True, False)
    found.keep(2)
    assert measured(found, 4, known=-1.0, loss=0.021) == (False, False)
    assert measured(found, 6, known=-1.0, worse=True) == (False, False)
    assert measured(found, 8, known=-2.0) == (False, False)  # no more than the kept one
    assert measured(found, 10, known=-1.9, loss=0.02) == (True, False)


def test_a_better_step_without_a_checkpoint_is_not_the_best() -> None:
    found = standing()
    measured(found, 2, known=-3.0)
    found.keep(2)
    assert measured(found, 4, known=-1.0) == (True, False)  # and its save failed
    assert measured(found, 6, known=-2.0) == (True, False)
    assert found.judge(6).summary == "the best so far"


def test_early_stopping_ends_after_patience_evaluations_without_improvement() -> None:
    found = standing(patience=2)
    measured(found, 2, known=-2.0)
    found.keep(2)
    assert measured(found, 4, known=-3.0) == (False, False)
    assert measured(found, 6, known=-3.0) == (False, True)
    assert found.judge(6).summary == (
        "step 2 is the best; none of 2 since is better, so training stops"
    )


def test_no_best_step_without_enough_retention_and_training_continues() -> None:
    found = standing(patience=1)
    assert measured(found, 2, known=-1.0, loss=0.5) == (False, False)
    assert measured(found, 4, known=-0.5, loss=0.5) == (False, False)
    assert found.judge(4).summary == "too little general knowledge is retained"


def test_a_step_evaluated_before_an_interruption_can_be_the_best_after_it() -> None:
    found = standing()
    found.load_history([point(2, known=-2.0), point(4, known=-1.0)], best=2)
    assert found.judge(4).is_best
    found.load_history([point(2, known=-2.0), point(4, known=-3.0)], best=2)
    assert not found.judge(4).is_best


def test_nan_scores_are_never_the_best() -> None:
    assert measured(standing(), 2, known=float("nan")) == (False, False)


def test_of_equally_many_facts_the_likelier_answers_are_better() -> None:
    found = standing(patience=2)
    measured(found, 2, known=0.5, logprob=-0.4)
    found.keep(2)
    assert measured(found, 4, known=0.4, logprob=-0.1) == (False, False)
    assert measured(found, 6, known=0.5, logprob=-0.3) == (True, False)
    found.keep(6)
    assert measured(found, 8, known=0.5, logprob=-0.3) == (False, False)
    assert measured(found, 10, known=0.5, logprob=-0.5) == (False, True)


def test_a_model_without_finite_likelihoods_is_never_the_best() -> None:
    assert measured(standing(), 2, known=0.5, logprob=float("nan")) == (False, False)
