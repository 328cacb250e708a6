"""Blends of a run as a table for a terminal. Loads no torch."""

import json
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from ftdist.errors import StorageError

_RATES = ("recall", "recall_with_page", "general", "retention", "leak", "leak_added")


def print_blends(blend_dir: Path, console: Console) -> None:
    """Print what each blend gains and keeps, and which one was chosen.

    Args:
        blend_dir: `runs/R/blend`.
        console: where to print.

    Raises:
        StorageError: there are none, or they cannot be read.
    """
    try:
        told = json.loads((blend_dir / "points.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StorageError(
            f"There are no readable blends in {blend_dir}.",
            remedy="run `ftdist blend` on this run.",
        ) from error
    points = told["points"]
    names = [name for name in _RATES if any(name in point["tuned"] for point in points)]
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("alpha", *names, "general loss added", ""):
        table.add_column(name, justify="right")
    for place, point in enumerate(points):
        rates = [_rate(point, name) for name in names]
        mark = "chosen" if place == told["chosen"] else ""
        table.add_row(f"{point['alpha']:g}", *rates, _loss(point), mark)
    # A pipe or a log file is no terminal of 80 columns.
    console.print(table, width=console.width if console.is_terminal else max(console.width, 160))


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
