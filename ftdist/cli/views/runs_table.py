"""All runs at a glance: one row per run, with what it waits for below it."""

import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ftdist_launch.status import RunStatus
from ftdist_launch.sweeps.records import index_of_best, swept_text
from ftdist_launch.sweeps.scores import find_score, read_score
from rich.text import Text

from ftdist.cli.views.columns import Column, fit, natural_width, shorten
from ftdist.cli.views.state_text import STYLES, age, failed_stage, hosts, short_state, throughput
from ftdist.io.units import format_count, format_duration
from ftdist.observe.metrics import FACT_ACCURACY_RANKED
from ftdist.rundir import RunDir

COLUMNS = (
    Column(name="run", min_width=12),
    Column(name="state"),
    Column(name="step", is_number=True),
    Column(name="loss", is_number=True, drop=3),
    Column(name="held-out", is_number=True),
    Column(name="facts", is_number=True, drop=1),
    Column(name="hours", is_number=True, drop=2),
    Column(name="age", is_number=True, drop=4),
    Column(name="swept", min_width=8),
)

LEGEND = {
    "facts": "facts: share of library questions right; *: during training, by likelihood.",
    "hours": "hours: GPU-hours of all attempts; c: process-hours on CPUs.",
}
"""What a column means."""


def runs_table(
    statuses: Sequence[RunStatus], *, width: int | None, now: float | None = None
) -> list[Text]:
    """One row per run, newest first; the runs of a sweep together, at the row of its newest run.

    Args:
        statuses: of all runs, newest first.
        width: of the terminal; None: without limit.
        now: seconds since the epoch; the present time by default.
    """
    now = time.time() if now is None else now
    in_column = _lay_out(statuses, swept_in_column=True, now=now)
    if width is None or natural_width(COLUMNS, in_column.rows) <= width:
        return _lines(in_column, width=width)
    return _lines(_lay_out(statuses, swept_in_column=False, now=now), width=width)


@dataclass(frozen=True, kw_only=True)
class _Layout:
    """The cells of all rows, and the lines below them."""

    rows: list[list[Text]] = field(default_factory=list)
    """A row without cells has a note only."""

    notes: dict[int, Text] = field(default_factory=dict)
    """By number of the row above it, from 1."""


def _lay_out(statuses: Sequence[RunStatus], *, swept_in_column: bool, now: float) -> _Layout:
    """Rows of runs and sweeps; what was swept is in a column, or else in the notes."""
    sweeps: dict[tuple[str | None, str], list[RunStatus]] = {}
    for status in statuses:
        sweeps.setdefault((status.sweep, status.sweep or status.name), []).append(status)
    layout = _Layout()
    for runs in sweeps.values():
        is_sweep = runs[0].sweep is not None
        best = best_of(runs)
        if is_sweep:
            layout.rows.append([])
            layout.notes[len(layout.rows)] = _sweep_heading(runs, best=best)
            runs.sort(key=lambda run: natural(run.name))
        for status in runs:
            swept = swept_text(status.swept)
            row = _row(status, swept=swept if swept_in_column else "", now=now)
            if best is not None and status is best[0]:
                row[0].stylize("bold")
            layout.rows.append(row)
            note = _note(status)
            if swept and not swept_in_column and not _is_named_after_values(status):
                note = f"{swept}; {note}" if note else swept
            if note:
                indent = "    " if is_sweep else "  "
                layout.notes[len(layout.rows)] = Text(indent + note, style="dim")
    return layout


def legend(lines: Sequence[Text]) -> list[str]:
    """What the columns of a table mean that need a word."""
    shown = lines[0].plain.split() if lines else []
    return [text for name, text in LEGEND.items() if name in shown]


def _lines(layout: _Layout, *, width: int | None) -> list[Text]:
    """The fitted rows, with the notes below them."""
    header, *fitted = fit(COLUMNS, layout.rows, width=width)
    lines = [header]
    for number, (line, row) in enumerate(zip(fitted, layout.rows, strict=True), start=1):
        lines += [line] if row else []
        note = layout.notes.get(number)
        if note is not None:
            lines.append(note if width is None else shorten(note, width))
    return lines


def _is_named_after_values(status: RunStatus) -> bool:
    """Whether a run's name shows what was swept, as names given by ftdist do."""
    values = (f"{key.rpartition('.')[2]}-{value}" for key, value in status.swept.items())
    return all(value in status.name for value in values)


def _sweep_heading(runs: Sequence[RunStatus], *, best: tuple[RunStatus, str] | None) -> Text:
    counts = Counter(short_state(run) for run in runs)
    states = ", ".join(f"{count} {state}" for state, count in counts.most_common())
    text = Text(f"sweep {runs[0].sweep}", style="bold")
    text.append(f"  {format_count(len(runs), 'run')}: {states}", style="not bold")
    if best is not None:
        text.append(f"; best: {best[0].name} ({best[1]})", style="not bold")
    return text


def best_of(runs: Sequence[RunStatus]) -> tuple[RunStatus, str] | None:
    """The best finished run of a sweep by the sweep's score, and its value in words.

    None where fewer than two finished runs have the score.
    """
    if runs[0].sweep_score is None:
        return None
    score = find_score(runs[0].sweep_score)
    done = [run for run in runs if run.state == "done"]
    values = [read_score(RunDir(Path(run.path)), score) for run in done]
    best = index_of_best(values, score=score)
    if best is None or sum(value is not None for value in values) < 2:
        return None
    return done[best], f"{score.name} {values[best]:.4f}"


def natural(name: str) -> list[int | str]:
    """Sort key with r-2 before r-10."""
    return [int(part) if part.isdigit() else part for part in re.split(r"([0-9]+)", name)]


def _row(status: RunStatus, *, swept: str, now: float) -> list[Text]:
    state = short_state(status)
    style = STYLES.get(state, STYLES.get(status.state, ""))
    indent = "  " if status.sweep is not None else ""
    steps = f"{status.step}/{status.steps or '?'}" if status.step or status.steps else ""
    return [
        Text(indent + status.name),
        Text(state, style=style),
        Text(steps),
        Text(_loss(status.loss)),
        Text(_loss(status.held_out_loss)),
        Text(_facts(status)),
        Text(_hours(status)),
        Text(age(status.created, now=now) if status.created else ""),
        Text(swept),
    ]


def _note(status: RunStatus) -> str:
    """What a run waits for, why it ended, or how fast it is."""
    if status.reason is not None:
        return status.reason
    if status.error is not None:
        return status.error
    stage = failed_stage(status)
    if stage is not None:
        return f"stage {stage.name} failed: {stage.problem}"
    if status.state != "running":
        return ""
    parts = [throughput(status)] if status.tokens_per_s is not None else []
    parts += [f"{format_duration(status.eta_s)} left"] if status.eta_s is not None else []
    parts += [f"on {hosts(status.attempts[-1].hosts)}"] if status.attempts else []
    return ", ".join(parts)


def _loss(loss: float | None) -> str:
    return "" if loss is None else f"{loss:.4f}"


def _facts(status: RunStatus) -> str:
    if "fact_accuracy" in status.scores:
        return f"{status.scores['fact_accuracy']:.2f}"
    ranked = status.evals.get(FACT_ACCURACY_RANKED.name)
    return "" if ranked is None else f"{ranked:.2f}*"


def _hours(status: RunStatus) -> str:
    if not status.attempts:
        return ""
    hours = status.device_hours
    text = f"{hours:,.0f}" if hours >= 100 else f"{hours:.1f}" if hours >= 0.05 else "<0.1"
    return text if status.device == "cuda" else f"{text}c"
