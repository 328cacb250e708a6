"""The score by which the runs of a sweep are ranked."""

import json
from contextlib import suppress
from dataclasses import dataclass

from ftdist.errors import ConfigError
from ftdist.observe.metrics import (
    ANSWER_LOGPROB_PER_BYTE,
    FACT_ACCURACY_RANKED,
    GENERAL_MC_ACCURACY,
    GENERAL_NLL,
    HELD_OUT_LOSS,
    read_metrics,
)
from ftdist.observe.score_table import SCORE_DOCS, score_table
from ftdist.rundir import RunDir

_IN_TRAINING = {
    HELD_OUT_LOSS.name: True,
    FACT_ACCURACY_RANKED.name: False,
    ANSWER_LOGPROB_PER_BYTE.name: False,
    GENERAL_MC_ACCURACY.name: False,
    GENERAL_NLL.name: True,
}
"""Metrics of evaluations during training, and whether lower is better."""


@dataclass(frozen=True, kw_only=True)
class SweepScore:
    """A score, and which way it improves."""

    name: str
    lower_is_better: bool
    needs_comparison: bool
    """Whether runs must be exported and compared with their base to have it."""

    @property
    def direction(self) -> str:
        """Which values are better, in words."""
        return f"{'lower' if self.lower_is_better else 'higher'} is better"

    def is_better(self, value: float, than: float) -> bool:
        """Whether one value is better than another."""
        return value < than if self.lower_is_better else value > than


HELD_OUT = SweepScore(name="held_out_loss", lower_is_better=True, needs_comparison=False)


def score_names() -> tuple[str, ...]:
    """Names that `find_score` knows."""
    in_training = (name for name in _IN_TRAINING if name != HELD_OUT_LOSS.name)
    return (HELD_OUT.name, *in_training, *SCORE_DOCS)


def find_score(name: str) -> SweepScore:
    """The score of a name: `held_out_loss`, `eval/NAME` in training, or one of a comparison.

    Raises:
        ConfigError: there is none.
    """
    if name in (HELD_OUT.name, HELD_OUT_LOSS.name):
        return HELD_OUT
    if name in _IN_TRAINING:
        return SweepScore(name=name, lower_is_better=_IN_TRAINING[name], needs_comparison=False)
    if name in SCORE_DOCS:
        lower = SCORE_DOCS[name].lower_is_better
        return SweepScore(name=name, lower_is_better=lower, needs_comparison=True)
    raise ConfigError(
        f"There is no score {name!r}.", remedy=f"choose one of {', '.join(score_names())}."
    )


def read_score(run: RunDir, score: SweepScore) -> float | None:
    """The newest value of a score of a run; None if it has none yet."""
    if score.needs_comparison:
        return _compared(run, score.name)
    metric = HELD_OUT_LOSS.name if score == HELD_OUT else score.name
    rows = read_metrics(run.metrics) if run.metrics.exists() else []
    values = [row[metric] for row in rows if metric in row]
    return float(values[-1]) if values else None


def _compared(run: RunDir, name: str) -> float | None:
    with suppress(OSError, ValueError, KeyError):
        scores = json.loads((run.report / "scores.json").read_text(encoding="utf-8"))
        rows = {row.name: row for row in score_table(scores)}
        if name in rows:
            return rows[name].tuned.value
    return None
