"""How a job goes, on the terminal or in a file: a view for `ftdist_launch.local.supervisor`."""

import json
import sys
from pathlib import Path
from typing import Any

from ftdist_launch.local.supervisor import ProgressView, ProgressViewFactory
from ftdist_launch.logs.timestamps import without_timestamp
from ftdist_launch.rank_failures import FAILED
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from ftdist.io.units import format_duration
from ftdist.observe.metrics import ETA_S, HELD_OUT_LOSS, LOSS, STEP, TOKENS_PER_S
from ftdist.rundir import RunDir

NOT_SHOWN = ("submitit ", FAILED)
"""How lines begin that submitit writes about itself, or that are shown later as the cause."""


def progress_view_factory(run: RunDir, *, steps: int | None) -> ProgressViewFactory:
    """Views fit for where the words go: a bar in a terminal, the lead's own lines elsewhere.

    Args:
        run: whose job is shown.
        steps: how many optimizer steps make the run; None: the job has no steps.
    """
    console = Console(stderr=True)

    def make_view(log: Path) -> ProgressView:
        if console.is_terminal and steps is not None:
            return Bar(run, log=log, steps=steps, console=console)
        return Copy(log)

    return make_view


class Tail:
    """The lines that are added to a file from now on.

    Args:
        path: of a file that need not be there yet.
        from_end: whether what stands there already is passed over.
    """

    def __init__(self, path: Path, *, from_end: bool = False) -> None:
        self._path = path
        self._place = path.stat().st_size if from_end and path.exists() else 0

    def new_lines(self, *, rest: bool = False) -> list[str]:
        """Whole lines added since the last call.

        Args:
            rest: whether to give a last line without an end as well.
        """
        try:
            with self._path.open("rb") as file:
                file.seek(self._place)
                data = file.read()
        except FileNotFoundError:
            return []
        whole = len(data) if rest else data.rfind(b"\n") + 1
        self._place += whole
        return data[:whole].decode("utf-8", errors="replace").splitlines()


class Copy:
    """Passes on the lead's log, line by line, to stdout.

    Args:
        log: of the lead.
    """

    def __init__(self, log: Path) -> None:
        self._tail = Tail(log)
        self._reader_gone = False

    def update(self) -> None:
        """Pass on what is new."""
        self._pass_on(self._tail.new_lines())

    def close(self) -> None:
        """Pass on the rest."""
        self._pass_on(self._tail.new_lines(rest=True))

    def _pass_on(self, lines: list[str]) -> None:
        bare = [without_timestamp(line) for line in lines]
        told = [line for line in bare if not line.startswith(NOT_SHOWN)]
        if not told or self._reader_gone:
            return
        try:
            sys.stdout.write("".join(f"{line}\n" for line in told))
            sys.stdout.flush()
        except OSError:
            # `| head` has seen enough, or the terminal was closed; training goes on all the same.
            self._reader_gone = True


class Bar:
    """A progress bar fed by `metrics.jsonl`, with the lead's words above it.

    Args:
        run: whose metrics are shown.
        log: of the lead; lines that only repeat a step's metrics are left out.
        steps: of the whole run.
        console: a terminal.
    """

    def __init__(self, run: RunDir, *, log: Path, steps: int, console: Console) -> None:
        self._rows = Tail(run.metrics, from_end=True)
        self._log = Tail(log)
        self._progress = Progress(
            TextColumn("[bold]step"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[told]}"),
            console=console,
            expand=True,
        )
        self._task: TaskID = self._progress.add_task("train", total=steps, told="starting")
        self._held_out: float | None = None
        self._progress.start()

    def update(self) -> None:
        """Show the newest step and the lead's new words."""
        self._show(rest=False)

    def close(self) -> None:
        """Show the rest and leave the terminal as it was."""
        self._show(rest=True)
        self._progress.stop()

    def _show(self, *, rest: bool) -> None:
        for stamped in self._log.new_lines(rest=rest):
            line = without_timestamp(stamped)
            if line.strip() and not line.startswith((*NOT_SHOWN, "step ")):
                self._progress.console.print(line, markup=False, highlight=False)
        for row in _rows(self._rows.new_lines(rest=rest)):
            self._held_out = row.get(HELD_OUT_LOSS.name, self._held_out)
            if LOSS.name in row:
                self._progress.update(
                    self._task, completed=row[STEP.name], told=summary(row, self._held_out)
                )


def summary(row: dict[str, Any], held_out: float | None) -> str:
    """What stands beside the bar: losses, speed, remaining time."""
    told = [f"loss {row[LOSS.name]:.4f}"]
    if held_out is not None:
        told.append(f"held-out {held_out:.4f}")
    if TOKENS_PER_S.name in row:
        told.append(f"{row[TOKENS_PER_S.name]:,.0f} tokens/s")
    if row.get(ETA_S.name) is not None:
        told.append(f"{format_duration(row[ETA_S.name])} left")
    return "  ".join(told)


def _rows(lines: list[str]) -> list[dict[str, Any]]:
    rows = []
    for line in lines:
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(row, dict) and STEP.name in row:
            rows.append(row)
    return rows
