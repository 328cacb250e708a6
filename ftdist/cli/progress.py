"""Progress of a job: a bar on a terminal, rank 0's log elsewhere."""

import json
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ftdist_launch.local.supervisor import ProgressView, Supervisor
from ftdist_launch.logs.merge import LogLine, follow_file
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from ftdist.api.progress import HIDDEN, Copy
from ftdist.cli.common import log
from ftdist.config.schema import RunConfig
from ftdist.io.progress import is_quiet
from ftdist.io.units import format_duration
from ftdist.observe.console import MEAN_STEPS
from ftdist.observe.metrics import ETA_S, HELD_OUT_LOSS, LOSS, STEP, TOKENS_PER_S
from ftdist.rundir import RunDir
from ftdist.text.terminal import plain, text_console


def supervise(run: RunDir, config: RunConfig, *, steps: int | None = None) -> Supervisor:
    """A supervisor that shows progress here: a bar on a terminal, rank 0's log elsewhere.

    Args:
        run: to work on.
        config: of the run.
        steps: total optimizer steps; None: the job has no steps.
    """
    console = text_console(stderr=True)

    def make_view(log: Path) -> ProgressView:
        if is_quiet():
            return NoProgress()
        if console.is_terminal and steps is not None:
            return Bar(run, log=log, steps=steps, console=console)
        return Copy(log)

    return Supervisor(run=run, config=config, make_view=make_view, log=log)


class NoProgress:
    """Shows nothing, for --quiet."""

    def update(self) -> None:
        """Nothing is shown."""

    def close(self) -> None:
        """Nothing is shown."""


class Bar:
    """A progress bar fed by `metrics.jsonl`, below the lines of rank 0's log.

    Args:
        run: whose metrics are shown.
        log: of rank 0; lines that repeat a step's metrics are left out.
        steps: of the whole run.
        console: a terminal.
    """

    def __init__(self, run: RunDir, *, log: Path, steps: int, console: Console) -> None:
        self._rows = follow_file(run.metrics)
        deque(self._rows.remaining(), maxlen=0)  # the steps of earlier attempts
        self._log = follow_file(log)
        self._progress = Progress(
            TextColumn("[bold]step"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[summary]}"),
            console=console,
            expand=True,
        )
        self._task: TaskID = self._progress.add_task("train", total=steps, summary="starting")
        self._held_out: float | None = None
        self._losses: deque[float] = deque(maxlen=MEAN_STEPS)

    def update(self) -> None:
        """Show the newest step and new log lines."""
        self._show(self._log.available(hold_back_s=0), self._rows.available(hold_back_s=0))

    def close(self) -> None:
        """Show the rest and restore the terminal."""
        self._show(self._log.remaining(), ())
        self._progress.stop()

    def _show(self, lines: Iterable[LogLine], rows: Iterable[LogLine]) -> None:
        self._progress.start()
        for line in lines:
            if line.text.strip() and not line.text.startswith((*HIDDEN, "step ")):
                self._progress.console.print(plain(line.text), markup=False, highlight=False)
        for row in (json.loads(line.text) for line in rows):
            self._held_out = row.get(HELD_OUT_LOSS.name, self._held_out)
            if LOSS.name in row:
                self._losses.append(row[LOSS.name])
                mean = sum(self._losses) / len(self._losses)
                text = summary(row, mean=mean, held_out=self._held_out)
                self._progress.update(self._task, completed=row[STEP.name], summary=text)


def summary(row: dict[str, Any], *, mean: float, held_out: float | None) -> str:
    """The text next to the bar: losses, speed, remaining time.

    Args:
        row: the newest one.
        mean: of the last losses: single ones jump where sources alternate.
        held_out: the newest held-out loss.
    """
    parts = [f"loss {mean:.4f}"]
    if held_out is not None:
        parts.append(f"held-out {held_out:.4f}")
    if TOKENS_PER_S.name in row:
        parts.append(f"{row[TOKENS_PER_S.name]:,.0f} tokens/s")
    if row.get(ETA_S.name) is not None:
        parts.append(f"{format_duration(row[ETA_S.name])} left")
    return "  ".join(parts)
