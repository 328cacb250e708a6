"""A run's merge sweep: a table for the terminal, curves and a table for the report. No torch."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ftdist.errors import StorageError
from ftdist.evaluation.report.charts import Chart, chart
from ftdist.evaluation.report.narrow_terminal import print_blocks
from ftdist.evaluation.selection import Scores, has_loss, has_questions
from ftdist.inference.model_fingerprint import model_fingerprint
from ftdist.rundir import RunDir

POINTS = "points.json"
"""In the folder of the chosen merged model: the scores of all candidates, and the choice."""

_RATES = (
    "fact_accuracy",
    "citation_accuracy",
    "general_mc_accuracy",
    "general_accuracy",
    "leak_rate",
    "out_of_scope_failure_rate",
)


@dataclass(frozen=True, kw_only=True)
class Frontier:
    """What merged models gain against what they keep.

    Attributes:
        charts: shares, and general loss, over alpha.
        columns: names of what a row holds.
        rows: alpha of each merged model and its values with intervals, in the order of alpha.
        chosen: alpha of the one that is kept.
        choice: why it is kept, in sentences.
    """

    charts: tuple[Chart, ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    chosen: str
    choice: str


def is_of_export(run: RunDir) -> bool:
    """Whether the merged model that is kept is of the model that is exported now."""
    try:
        return bool(_read(run)["export"] == model_fingerprint(run.export))
    except (OSError, ValueError, LookupError, TypeError):
        return False


def frontier(run: RunDir) -> Frontier | None:
    """The merged models of a run's export; None: there are none that can be read."""
    if not is_of_export(run):
        return None
    try:
        told = _read(run)
        points = sorted(told["candidates"], key=lambda point: float(point["alpha"]))
        chosen = f"{told['candidates'][told['chosen']]['alpha']:g}"
        choice = _choice(chosen, points, told=told)
    except (OSError, ValueError, LookupError, TypeError):
        return None
    names = [name for name in _RATES if any(name in point["tuned"] for point in points)]
    losses = [
        (point["alpha"], point["general_nll"]["difference"])
        for point in points
        if "general_nll" in point
    ]
    shares = {
        name.replace("_", " "): [
            (point["alpha"], point["tuned"][name]) for point in points if name in point["tuned"]
        ]
        for name in names
    }
    drawn = (
        chart("Shares of the questions", shares, along="alpha"),
        chart("General loss above the base's, nats", {"general loss": losses}, along="alpha"),
    )
    return Frontier(
        charts=tuple(each for each in drawn if each is not None),
        columns=("alpha", *(name.replace("_", " ") for name in names), "general loss added"),
        rows=tuple(
            (f"{point['alpha']:g}", *(_rate(point, name) for name in names), _loss(point))
            for point in points
        ),
        chosen=chosen,
        choice=choice,
    )


def print_merge_sweep(run: RunDir, console: Console) -> None:
    """Print what each merged model gains and keeps, and which one was chosen.

    Args:
        run: whose merged models.
        console: where to print.

    Raises:
        StorageError: there are none of its export, or they cannot be read.
    """
    found = frontier(run)
    if found is None:
        raise StorageError(
            f"There are no readable merged models of the model in {run.export}.",
            remedy=f"measure some: `ftdist merge {run.cli_name}`.",
        )
    # A pipe or a log file is no terminal of 80 columns.
    width = console.width if console.is_terminal else max(console.width, 160)
    console.width = width  # nothing is printed wider than it believes to be
    table = Table(box=box.SIMPLE_HEAD)
    for name in (*found.columns, ""):
        table.add_column(name, justify="right", overflow="fold")
    for row in found.rows:
        table.add_row(*row, "chosen" if row[0] == found.chosen else "")
    # Half of the width that it would like makes two lines of an interval, and cuts no number.
    if 2 * width < console.measure(table, options=console.options.update(width=1000)).maximum:
        print_blocks(console, _blocks(found), width=width)
    else:
        console.print(table, width=width)
    console.print(Text(found.choice), width=width)


def _blocks(found: Frontier) -> Iterator[tuple[Text, list[Text]]]:
    for alpha, *values in found.rows:
        title = f"alpha {alpha}{', chosen' if alpha == found.chosen else ''}"
        lines = [
            Text(f"{name}: {value}")
            for name, value in zip(found.columns[1:], values, strict=True)
            if value
        ]
        yield Text(title, style="bold"), lines


def _read(run: RunDir) -> dict[str, Any]:
    """What the merged model that is kept says of itself and of the others."""
    told: dict[str, Any] = json.loads((run.merged_model / POINTS).read_text(encoding="utf-8"))
    return told


def _choice(alpha: str, points: Sequence[Scores], *, told: dict[str, Any]) -> str:
    """Why a merged model is kept, by what was measured."""
    by_loss = any(has_loss(point) for point in points)
    limits = []
    if by_loss:
        limits.append(f"general loss at most {told['max_loss_increase']:g} nats above the base's")
    if any(has_questions(point) for point in points):
        limits.append("general questions not clearly worse")
    enough = ", and ".join(limits)
    if not limits:
        reason = (
            f"Kept is alpha {alpha}, the one that gains most. What it keeps of the base was not "
            "measured: neither general loss nor general questions."
        )
    elif told["retention_ok"]:
        reason = (
            f"Kept is alpha {alpha}: of the merged models that keep enough ({enough}), the one "
            "that gains most."
        )
    else:
        least = "with the least general loss" if by_loss else "nearest to the base"
        reason = f"No merged model keeps enough ({enough}): the one {least} is kept, alpha {alpha}."
    if points[0]["alpha"] == 0:
        reason += " Alpha 0 is the base itself, and is never the one that is kept."
    return f"{reason} It was chosen on the questions that it is reported on, which flatters it."


def _rate(point: dict[str, Any], name: str) -> str:
    """A rate as "0.94 (0.83 to 0.98)"."""
    if name not in point["tuned"]:
        return ""
    interval = point["intervals"]["tuned"][name]
    return f"{point['tuned'][name]:.2f} ({interval['low_95']:.2f} to {interval['high_95']:.2f})"


def _loss(point: dict[str, Any]) -> str:
    loss = point.get("general_nll")
    if loss is None:
        return ""
    return f"{loss['difference']:+.3f} ({loss['low_95']:+.3f} to {loss['high_95']:+.3f}) nats"
