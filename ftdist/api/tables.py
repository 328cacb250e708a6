"""What a run has recorded, as pandas DataFrames."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from ftdist_launch.status import RunStatus
from ftdist_launch.sweeps.records import Trial

from ftdist.errors import ConfigError
from ftdist.io.jsonl import read_json_lines
from ftdist.observe.metrics import read_metrics
from ftdist.observe.score_table import score_table
from ftdist.rundir import RunDir

if TYPE_CHECKING:
    from pandas import DataFrame

_STATUS = ("name", "state", "step", "steps", "loss", "tokens_per_s", "eta_s", "sweep", "reason")


def metrics_table(run: RunDir) -> "DataFrame":
    """A row per step, with the names of the metrics reference; a repeated step once."""
    from pandas import DataFrame

    rows = read_metrics(run.metrics) if run.metrics.exists() else []
    if not rows:
        return DataFrame(columns=["step"]).set_index("step")
    return DataFrame(rows).drop_duplicates("step", keep="last").set_index("step").sort_index()


def scores_table(run: RunDir) -> "DataFrame":
    """A row per score: base and tuned model, their difference with its interval, the verdict.

    Raises:
        ConfigError: the run was not compared.
    """
    from pandas import DataFrame

    path = _of_comparison(run, "scores.json")
    rows = score_table(json.loads(path.read_text(encoding="utf-8")))
    return DataFrame(
        {
            "score": row.name,
            "base": row.base.value if row.base else None,
            "tuned": row.tuned.value,
            "difference": row.delta.value if row.delta else None,
            "low_95": row.delta.low if row.delta else None,
            "high_95": row.delta.high if row.delta else None,
            "verdict": row.verdict,
            "n": row.tuned.n,
            "meaning": row.doc.description,
        }
        for row in rows
    ).set_index("score")


def answers_table(run: RunDir) -> "DataFrame":
    """A row per question, with the answers of both models.

    Raises:
        ConfigError: the run was not compared.
    """
    from pandas import DataFrame

    return DataFrame(list(read_json_lines(_of_comparison(run, "answers.jsonl"))))


def status_table(statuses: Sequence[RunStatus]) -> "DataFrame":
    """A row per run."""
    from pandas import DataFrame

    rows = [{name: asdict(status).get(name) for name in _STATUS} for status in statuses]
    return DataFrame(rows, columns=list(_STATUS)).set_index("name")


def trials_table(trials: Sequence[Trial]) -> "DataFrame":
    """A row per trial of a sweep: its run, its values, its score, whether it is the best."""
    from pandas import DataFrame

    return DataFrame(
        {
            "trial": trial.number,
            "run": trial.run.name,
            **trial.swept,
            trial.score.name: trial.value,
            "is_best": trial.is_best,
        }
        for trial in trials
    ).set_index("trial")


def _of_comparison(run: RunDir, name: str) -> Path:
    path = run.report / name
    if not path.is_file():
        raise ConfigError(
            f"Run {run.name} was not compared with its base.",
            remedy=f"call compare() of the run, or run `ftdist compare {run.cli_name}`.",
        )
    return path
