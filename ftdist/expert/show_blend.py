"""Blends of a run: as a table for a terminal, as curves and a table for its page. No torch."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from ftdist.errors import StorageError
from ftdist.expert.charts import Chart, chart

_RATES = ("recall", "recall_with_page", "general", "retention", "leak", "not_clean")


@dataclass(frozen=True, kw_only=True)
class Frontier:
    """What blends gain against what they keep.

    Attributes:
        charts: shares, and general loss, over alpha.
        columns: names of what a row holds.
        rows: of each blend its alpha, and its values with their intervals, in the order of alpha.
        chosen: alpha of the one that is kept.
        choice: why it is kept, in sentences.
    """

    charts: tuple[Chart, ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    chosen: str
    choice: str


def frontier(blend_dir: Path) -> Frontier | None:
    """The blends in `runs/R/blend`; None: there are none that can be read."""
    try:
        told = json.loads((blend_dir / "points.json").read_text(encoding="utf-8"))
        points = sorted(told["points"], key=lambda point: float(point["alpha"]))
        chosen = f"{told['points'][told['chosen']]['alpha']:g}"
        choice = _choice(chosen, float(told["most_loss_nats"]), enough=told.get("kept_enough"))
    except (OSError, ValueError, LookupError, TypeError):
        return None
    names = [name for name in _RATES if any(name in point["tuned"] for point in points)]
    losses = [
        (point["alpha"], point["general_loss"]["difference"])
        for point in points
        if "general_loss" in point
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


def print_blends(blend_dir: Path, console: Console) -> None:
    """Print what each blend gains and keeps, and which one was chosen.

    Args:
        blend_dir: `runs/R/blend`.
        console: where to print.

    Raises:
        StorageError: there are none, or they cannot be read.
    """
    found = frontier(blend_dir)
    if found is None:
        raise StorageError(
            f"There are no readable blends in {blend_dir}.",
            remedy="run `ftdist blend` on this run.",
        )
    table = Table(box=box.SIMPLE_HEAD)
    for name in (*found.columns, ""):
        table.add_column(name, justify="right")
    for row in found.rows:
        table.add_row(*row, "chosen" if row[0] == found.chosen else "")
    # A pipe or a log file is no terminal of 80 columns.
    width = console.width if console.is_terminal else max(console.width, 160)
    console.print(table, width=width)
    console.print(found.choice, width=width)


def _choice(alpha: str, most_loss_nats: float, *, enough: bool | None) -> str:
    """Why a blend is kept; `enough` is None where older blends do not say whether it keeps."""
    limits = (
        f"general loss at most {most_loss_nats:g} nats above the base's, and general questions "
        "not clearly worse"
    )
    most, least = "the one that gains most", "the one with the least general loss is kept"
    if enough is None:
        keeping = f"of the blends that keep enough ({limits}), {most}"
        reason = f"Kept is alpha {alpha}: {keeping}; if none does, {least}."
    elif enough:
        reason = f"Kept is alpha {alpha}: of the blends that keep enough ({limits}), {most}."
    else:
        reason = f"No blend keeps enough ({limits}): {least}, alpha {alpha}."
    return f"{reason} It was chosen on the questions that it is reported on, which flatters it."


def _rate(point: dict[str, Any], name: str) -> str:
    """A rate as "0.94 (0.83 to 0.98)"."""
    if name not in point["tuned"]:
        return ""
    interval = point["intervals"]["tuned"][name]
    return f"{point['tuned'][name]:.2f} ({interval['low_95']:.2f} to {interval['high_95']:.2f})"


def _loss(point: dict[str, Any]) -> str:
    loss = point.get("general_loss")
    if loss is None:
        return ""
    return f"{loss['difference']:+.3f} ({loss['low_95']:+.3f} to {loss['high_95']:+.3f}) nats"
