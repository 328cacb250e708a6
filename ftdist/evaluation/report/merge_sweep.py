"""A run's merge sweep: a table for the terminal, curves and a table for the report. No torch."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ftdist.checkpoint.merge_setting import MergeSetting
from ftdist.errors import StorageError
from ftdist.evaluation.merge_settings import describe_merges
from ftdist.evaluation.report.terminal import fit_width
from ftdist.evaluation.selection import Scores, has_loss, has_questions
from ftdist.inference.model_fingerprint import model_fingerprint
from ftdist.observe.charts import Chart, Points, chart
from ftdist.observe.score_table import Estimate, ScoreRow, score_table
from ftdist.rundir import RunDir

PIPE_WIDTH = 160
"""Columns where the output is not a terminal."""

POINTS_NAME = "points.json"
"""In the folder of the chosen merged model: the scores of all candidates, and the choice."""

_COLUMN = 17
"""Width of a model's column, in which a value stands over its interval; the names take two."""

_DRAWN = (
    "fact_accuracy",
    "fact_recall",
    "citation_accuracy",
    "general_mc_accuracy",
    "general_accuracy",
    "leak_rate",
    "out_of_scope_failure_rate",
)

_RATES = (
    *_DRAWN,
    "reverse_accuracy",
    "two_fact_accuracy",
    "unanswerable_failure_rate",
    "instruction_accuracy",
)


@dataclass(frozen=True, kw_only=True)
class MergeSweep:
    """Scores of the merged models over alpha.

    Attributes:
        charts: shares for each trim, and general loss, over alpha.
        columns: names of what a row holds.
        rows: setting of each merged model and its values with intervals, by trim and alpha.
        chosen: setting of the chosen model.
        how: how the models were made, in sentences.
        choice: why it was chosen, in sentences.
    """

    charts: tuple[Chart, ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    chosen: str
    how: str
    choice: str


def is_of_export(run: RunDir) -> bool:
    """Whether the saved merged model was made from the current export."""
    try:
        return bool(_read(run)["export"] == model_fingerprint(run.export))
    except (OSError, ValueError, LookupError, TypeError):
        return False


def read_merge_sweep(run: RunDir) -> MergeSweep | None:
    """The merge sweep of a run's export; None if there is no readable one."""
    if not is_of_export(run):
        return None
    try:
        record = _read(run)
        points = sorted(record["candidates"], key=_order)
        chosen = str(MergeSetting.from_scores(record["candidates"][record["chosen"]]))
        how, choice = describe_merges(record), _choice(chosen, points, record=record)
    except (OSError, ValueError, LookupError, TypeError):
        return None
    tables = [(MergeSetting.from_scores(point), _by_name(point)) for point in points]
    names = [name for name in _RATES if any(name in table for _, table in tables)]
    return MergeSweep(
        charts=tuple(_charts(tables, names)),
        columns=("alpha", *(name.replace("_", " ") for name in names), "general nll increase"),
        rows=tuple(
            (
                str(setting),
                *(_text(table[name].tuned) if name in table else "" for name in names),
                _text(table["general_nll"].delta) if "general_nll" in table else "",
            )
            for setting, table in tables
        ),
        chosen=chosen,
        how=how,
        choice=choice,
    )


def _order(point: Scores) -> tuple[float, float, float]:
    setting = MergeSetting.from_scores(point)
    return setting.trim_smallest, setting.trim_largest, setting.alpha


def _charts(
    tables: Sequence[tuple[MergeSetting, dict[str, ScoreRow]]], names: Sequence[str]
) -> Iterator[Chart]:
    """Shares over alpha, one chart for each trim; the general loss of all in one."""
    losses: dict[str, Points] = {}
    trims = list(dict.fromkeys(setting.trims for setting, _ in tables))
    for trim in trims:
        curves = [(setting.alpha, table) for setting, table in tables if setting.trims == trim]
        shares = {
            name.replace("_", " "): [
                (alpha, table[name].tuned.value) for alpha, table in curves if name in table
            ]
            for name in names
            if name in _DRAWN
        }
        losses[f"general NLL, {trim} trimmed" if trim else "general NLL"] = [
            (alpha, delta.value)
            for alpha, table in curves
            if "general_nll" in table and (delta := table["general_nll"].delta)
        ]
        title = "Shares of the questions" + (f", {trim} trimmed" if trim else "")
        if (drawn := chart(title, shares, x_title="alpha")) is not None:
            yield drawn
    if (drawn := chart("Increase of general NLL, nats", losses, x_title="alpha")) is not None:
        yield drawn


def _by_name(point: Scores) -> dict[str, ScoreRow]:
    return {row.name: row for row in score_table(point)}


def _text(estimate: Estimate | None) -> str:
    return "" if estimate is None else f"{estimate.text} ({estimate.interval})"


def print_merge_sweep(run: RunDir, console: Console) -> None:
    """Print the scores of each merged model, and which one was chosen.

    Raises:
        StorageError: there are none of its export, or they cannot be read.
    """
    sweep = read_merge_sweep(run)
    if sweep is None:
        raise StorageError(
            f"There are no readable merged models of the model in {run.export}.",
            remedy=f"measure some: `ftdist merge {run.cli_name}`.",
        )
    fit_width(console, pipe=PIPE_WIDTH)
    if console.width < _COLUMN * (2 + len(sweep.rows)):
        _print_blocks(sweep, console)
    else:
        _print_table(sweep, console)
    console.print(Text(f"{sweep.how} {sweep.choice}"))


def _print_table(sweep: MergeSweep, console: Console) -> None:
    """Models side by side."""
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column(sweep.columns[0], no_wrap=True)
    for setting, *_ in sweep.rows:
        chosen = "\nchosen" if setting == sweep.chosen else ""
        table.add_column(f"{setting}{chosen}", justify="right", overflow="fold")
    for name, *values in list(zip(sweep.columns, *sweep.rows, strict=True))[1:]:
        table.add_row(name, *values)
    console.print(table)


def _print_blocks(sweep: MergeSweep, console: Console) -> None:
    """Models one below the other, for a terminal in which their columns would be too narrow."""
    for setting, *values in sweep.rows:
        chosen = " (chosen)" if setting == sweep.chosen else ""
        console.print(Text(f"\nalpha {setting}{chosen}", style="bold"))
        for name, value in zip(sweep.columns[1:], values, strict=True):
            if value:
                console.print(Text(f"  {name:<26} {value}"))
    console.print()


def _read(run: RunDir) -> dict[str, Any]:
    """The scores of all candidates and the choice, as saved with the chosen merged model."""
    record: dict[str, Any] = json.loads(
        (run.merged_model / POINTS_NAME).read_text(encoding="utf-8")
    )
    return record


def _choice(alpha: str, points: Sequence[Scores], *, record: dict[str, Any]) -> str:
    """Explain why this merged model was chosen."""
    by_loss = any(has_loss(point) for point in points)
    limits = []
    if by_loss:
        limits.append(f"general loss at most {record['max_loss_increase']:g} nats above the base's")
    if any(has_questions(point) for point in points):
        limits.append("general questions not clearly worse")
    enough = ", and ".join(limits)
    if not limits:
        reason = (
            f"Alpha {alpha} was chosen for the largest gain. Retention was not measured: there is "
            "neither general loss nor general questions."
        )
    elif record["retention_ok"]:
        reason = (
            f"Alpha {alpha} was chosen: of the merged models that retain enough ({enough}), it has "
            "the largest gain."
        )
    else:
        least = "with the lowest general loss" if by_loss else "nearest to the base"
        reason = (
            f"No merged model retains enough ({enough}): alpha {alpha} was chosen, the one {least}."
        )
    if any(point["alpha"] == 0 for point in points):
        reason += " Alpha 0 is the base itself and is never chosen."
    return (
        f"{reason} The choice used the same questions as the report, so its scores are optimistic."
    )
