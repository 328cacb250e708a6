"""The live view of all runs that are not over."""

import time
from pathlib import Path

from ftdist_launch.run_records import find_runs
from ftdist_launch.status import JobQueries, RunStatus, read_all
from rich.text import Text

from ftdist.cli.views.columns import shorten
from ftdist.cli.views.dashboard import Screen
from ftdist.cli.views.runs_table import legend, runs_table
from ftdist.io.units import format_count
from ftdist.rundir import RunDir

LOOK_AROUND_S = 30.0
"""How often runs that are over are looked at again: somebody may have resumed one."""


class AllRunsReader:
    """Reads the status of all runs that are not over, or ended while they were watched.

    Args:
        root: folder of the runs.
        queue: of SLURM, with a cache.
    """

    def __init__(self, root: Path, *, queue: JobQueries) -> None:
        self._root = root
        self._queue = queue
        self._shown: list[RunDir] = []
        self._looked_at = float("-inf")

    def read(self) -> list[RunStatus]:
        """Their status, newest first."""
        now = time.monotonic()
        if now - self._looked_at < LOOK_AROUND_S:
            statuses = read_all(self._shown, queue=self._queue)
            return sorted(statuses, key=lambda status: status.created, reverse=True)
        self._looked_at = now
        runs = find_runs(self._root)
        found = read_all(runs, queue=self._queue)
        pairs = [
            (run, status)
            for run, status in zip(runs, found, strict=True)
            if run in self._shown or not (status.is_over or status.state == "new")
        ]
        self._shown = [run for run, _ in pairs]
        return sorted((s for _, s in pairs), key=lambda status: status.created, reverse=True)


def all_runs(statuses: list[RunStatus], screen: Screen) -> tuple[list[Text], bool]:
    """The lines of the view, and whether all runs are over."""
    running = sum(not status.is_over for status in statuses)
    clock = time.strftime("%H:%M:%S")
    ended = len(statuses) - running
    title = Text(f"{format_count(running, 'run')} going on", style="bold")
    title.append(f", {ended} ended meanwhile" if ended else "")
    title.append(" " * max(1, screen.width - len(title) - len(clock))).append(clock, "not bold dim")
    table = runs_table(statuses, width=screen.width)
    notes = [Text(text, style="dim") for text in legend(table)]
    notes += [
        Text(n, style="dim") for n in dict.fromkeys(s.note for s in statuses) if n is not None
    ]
    lines = [title, *table, *(shorten(note, screen.width) for note in notes)]
    return lines, running == 0
