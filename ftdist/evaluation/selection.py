"""Select the best of several models by gain on the library and retained general knowledge."""

import math
from collections.abc import Sequence
from typing import Any

Scores = dict[str, Any]
"""Scores of one model against the base, from `aggregate_scores`; `gain_score`: how much of the
library it has learned; higher is better.
"""

TIE_BREAK = "answer_logprob_per_byte"
"""Score that decides between equal gains, where a model has it: higher is better."""

MAX_ACCURACY_DROP = 0.03
"""Largest acceptable loss of general accuracy, at the lower end of the interval."""

MIN_GENERAL_QUESTIONS = 1000
"""General questions at which the interval of the difference is about 0.02 to either side."""


def choose(points: Sequence[Scores], *, max_loss_increase: float, order: str) -> int | None:
    """Index of the best point: of those that retain enough, the one with the largest gain.

    Of equal gains the one with the higher `TIE_BREAK` is the best.

    Args:
        points: scores of models.
        max_loss_increase: in nats per token; see `retains_general_knowledge`.
        order: name of the score that orders the points; ties go to the first.

    Returns:
        None if no point retains enough.
    """
    indices = sorted(range(len(points)), key=lambda index: float(points[index][order]))
    eligible = [
        index
        for index in indices
        if retains_general_knowledge(points[index], max_loss_increase=max_loss_increase)
    ]
    return max(
        eligible, key=lambda index: (gain(points[index]), _tie_break(points[index])), default=None
    )


def lowest_loss(points: Sequence[Scores]) -> int:
    """Index of the merged model with the lowest general loss, if none retains enough.

    Ties, as without a general loss, go to the one nearest to the base.
    """
    return min(
        range(len(points)), key=lambda index: (loss_increase(points[index]), points[index]["alpha"])
    )


def gain(scores: Scores) -> float:
    """The gain score less the rate of leaks and refusals where the base answers."""
    tuned = scores.get("tuned", {})
    return float(scores["gain_score"]) - float(
        tuned.get("out_of_scope_failure_rate", tuned.get("leak_rate", 0.0))
    )


def _tie_break(scores: Scores) -> float:
    return float(scores.get(TIE_BREAK, 0.0))


def retains_general_knowledge(scores: Scores, *, max_loss_increase: float) -> bool:
    """Whether the model retains the base's general knowledge, as far as was evaluated.

    Its general loss is at most `max_loss_increase` above the base's, and its general accuracy is
    not clearly worse: the interval of the difference is not below 0 and, with at least
    `MIN_GENERAL_QUESTIONS` questions, does not reach -`MAX_ACCURACY_DROP`.
    """
    general = scores["paired"].get("general_mc_accuracy")
    is_retained = general is None or (
        general["high_95"] >= 0
        and (general["n"] < MIN_GENERAL_QUESTIONS or general["low_95"] > -MAX_ACCURACY_DROP)
    )
    return (
        is_retained
        and loss_increase(scores) <= max_loss_increase
        and math.isfinite(scores["gain_score"])
        and math.isfinite(_tie_break(scores))
    )


def has_loss(scores: Scores) -> bool:
    """Whether general loss was measured."""
    return scores.get("general_nll") is not None


def has_questions(scores: Scores) -> bool:
    """Whether general questions were evaluated."""
    return "general_mc_accuracy" in scores["paired"]


def loss_increase(scores: Scores) -> float:
    """Increase of general loss over the base, in nats per token; 0 if not measured."""
    loss = scores.get("general_nll")
    return 0.0 if loss is None else float(loss["difference"])
