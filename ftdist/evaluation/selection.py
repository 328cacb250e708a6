"""Which of several models to take: what each gains of the library against what it keeps."""

import math
from collections.abc import Sequence
from typing import Any

from ftdist.errors import ConfigError

Scores = dict[str, Any]
"""Of one model against the base, as `tally` gives them; `gain_score`: how much of the
library it has learned; higher is better.
"""


MAX_GENERAL_LOSS_RATE = 0.03
"""Share of the general questions that a model may have lost, at the interval's lower end."""

MIN_GENERAL_QUESTIONS = 1000
"""General questions; the interval of their difference is then about 0.02 to either side."""


def choose(points: Sequence[Scores], *, max_loss_increase: float, order: str) -> int | None:
    """Place of the point to take: of those that keep, the one that gains most.

    Args:
        points: scores of models.
        max_loss_increase: in nats a token; see `keeps`.
        order: name of what points are in order of; of equal ones, the first is taken.

    Returns:
        None where no point keeps.
    """
    indices = sorted(range(len(points)), key=lambda index: float(points[index][order]))
    eligible = [
        index
        for index in indices
        if retains_general_knowledge(points[index], max_loss_increase=max_loss_increase)
    ]
    return max(eligible, key=lambda index: gain(points[index]), default=None)


def check_alphas(alphas: Sequence[float]) -> None:
    """Refuse alphas of which none can be kept: at 0 there is the base, measured for the curve.

    Raises:
        ConfigError: there is none above 0.
    """
    if not any(alpha > 0 for alpha in alphas):
        shown = ",".join(f"{alpha:g}" for alpha in alphas)
        raise ConfigError(
            f"merge.alphas=[{shown}] leaves no merged model to keep: an alpha of 0 is the "
            "base itself.",
            remedy="add one above 0, such as merge.alphas=[0,0.5,1].",
        )


def nearest(points: Sequence[Scores]) -> int:
    """Place of the merged model to take where none keeps enough: that of the least general loss.

    Of equal ones, as where it was not measured, the nearest to the base.
    """
    return min(
        range(len(points)), key=lambda index: (loss_increase(points[index]), points[index]["alpha"])
    )


def gain(scores: Scores) -> float:
    """What is known of the library, less what leaks, or is declined, where the base answers."""
    tuned = scores.get("tuned", {})
    return float(scores["gain_score"]) - float(
        tuned.get("out_of_scope_failure_rate", tuned.get("leak_rate", 0.0))
    )


def retains_general_knowledge(scores: Scores, *, max_loss_increase: float) -> bool:
    """Whether what the base knew is there still, as far as was measured.

    Its general loss is at most `max_loss_increase` above the base's, its general questions are
    not clearly worse: the interval of the difference does not lie below 0, nor, where `ENOUGH`
    were asked to tell, does it reach down to -`MAX_LOST`.
    """
    general = scores["paired"].get("general_mc_accuracy")
    is_kept = general is None or (
        general["high_95"] >= 0
        and (general["n"] < MIN_GENERAL_QUESTIONS or general["low_95"] > -MAX_GENERAL_LOSS_RATE)
    )
    return (
        is_kept
        and loss_increase(scores) <= max_loss_increase
        and math.isfinite(scores["gain_score"])
    )


def has_loss(scores: Scores) -> bool:
    """Whether general loss was measured."""
    return scores.get("general_nll") is not None


def has_questions(scores: Scores) -> bool:
    """Whether general questions were asked."""
    return "general_mc_accuracy" in scores["paired"]


def loss_increase(scores: Scores) -> float:
    """General loss above the base's, in nats a token; 0 where it was not measured."""
    loss = scores.get("general_nll")
    return 0.0 if loss is None else float(loss["difference"])
