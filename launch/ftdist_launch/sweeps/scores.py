"""The score by which the runs of a sweep are ranked."""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ftdist.checkpoint.store import CheckpointStore
from ftdist.errors import ConfigError, FtdistError
from ftdist.observe.metrics import (
    ANSWER_LOGPROB_PER_BYTE,
    FACT_ACCURACY_RANKED,
    FACT_RECALL_GREEDY,
    GENERAL_MC_ACCURACY,
    GENERAL_NLL,
    HELD_OUT_LOSS,
    read_metrics,
)
from ftdist.observe.score_table import SCORE_DOCS, score_table
from ftdist.rundir import RunDir
from ftdist_launch.attempts import step_to_export
from ftdist_launch.run_config import read_config

_IN_TRAINING = {
    HELD_OUT_LOSS.name: True,
    FACT_ACCURACY_RANKED.name: False,
    FACT_RECALL_GREEDY.name: False,
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


HELD_OUT: SweepScore = SweepScore(
    name="held_out_loss", lower_is_better=True, needs_comparison=False
)


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
    """The score of a run's model to export; None if it has none yet.

    For evaluations during training: the one nearest to the checkpoint to export.
    """
    if score.needs_comparison:
        return _compared(run, score.name)
    with suppress(FileNotFoundError):
        stat = run.metrics.stat()
        metric = HELD_OUT_LOSS.name if score == HELD_OUT else score.name
        values = _evaluations(run.metrics, metric, stat.st_mtime_ns, stat.st_size)
        if values:
            step = _best_step(run)
            return values[-1][1] if step is None else _nearest(values, step)
    return None


@lru_cache(maxsize=1024)
def _evaluations(
    metrics: Path, name: str, _changed: int, _size: int
) -> tuple[tuple[int, float], ...]:
    """Steps and values of a metric; a file that has not changed is not read again."""
    rows = read_metrics(metrics)
    return tuple((row["step"], float(row[name])) for row in rows if name in row)


def _nearest(values: Sequence[tuple[int, float]], step: int) -> float:
    return min(values, key=lambda each: abs(each[0] - step))[1]


def _best_step(run: RunDir) -> int | None:
    """Step of the best checkpoint if it is the one to export; None: the newest is."""
    with suppress(FtdistError):
        best = CheckpointStore(run.checkpoints, keep=1).best()
        if best is not None:
            return step_to_export(run, read_config(run))
    return None


def _compared(run: RunDir, name: str) -> float | None:
    with suppress(OSError, ValueError, KeyError):
        scores = json.loads((run.report / "scores.json").read_text(encoding="utf-8"))
        rows = {row.name: row for row in score_table(scores)}
        if name in rows:
            return rows[name].tuned.value
    return None
