"""`ftdist status`: show the state of one run, or of all runs."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ftdist_launch.run_records import find_runs
from ftdist_launch.slurm.client import Queue
from ftdist_launch.status import JobQueries, RunStatus, read_all, read_status
from rich.text import Text

from ftdist.cli.common import RunParser, print_result
from ftdist.cli.views.run_details import attempts_table, describe_run, jobs_table
from ftdist.cli.views.runs_table import legend, runs_table
from ftdist.cli.views.terminal import printable, table_width
from ftdist.rundir import RUNS_ROOT
from ftdist.text.terminal import text_console

DESCRIPTION = """\
Show the state of a run: step, loss, throughput, remaining time; where it runs, what it waits for,
and how each attempt ended. Without a run: all runs, newest first, grouped by sweep.
`ftdist watch` shows the same live."""


def main(arguments: Sequence[str]) -> int:
    """Print the state of one run, or of all.

    Raises:
        FtdistError: the run does not exist.
    """
    parser = RunParser("status", description=DESCRIPTION, takes_keys=False, only_reads=True)
    parser.add_argument("--json", action="store_true", help="print all fields as JSON, for scripts")
    flags = parser.parse_intermixed_args(arguments)
    words = [word for word in (flags.run, *flags.overrides) if word is not None]
    if any(not word.startswith("run.root=") for word in words):
        run = parser.parse_run(arguments).run
        status = read_status(run, queue=Queue())
        if flags.json:
            print_result(_json(asdict(status)))
        else:
            _print_run(status, cli_name=run.cli_name)
        return 0
    root = Path(words[-1].partition("=")[2]) if words else RUNS_ROOT
    statuses = read_runs(root, queue=Queue())
    if flags.json:
        print_result(_json([asdict(status) for status in statuses]))
    elif statuses:
        _print_runs(statuses)
    else:
        print_result(no_runs(root))
    return 0


def read_runs(root: Path, *, queue: JobQueries | None) -> list[RunStatus]:
    """The status of every run under a folder, newest first."""
    return sorted(read_all(find_runs(root), queue=queue), key=lambda s: s.created, reverse=True)


def no_runs(root: Path) -> str:
    """What to do where a folder holds no runs."""
    elsewhere = "" if root.is_dir() else "; for another folder, add run.root=DIR"
    return f"No runs under {root}. Start one: `ftdist train experiment=tiny`{elsewhere}."


def _print_run(status: RunStatus, *, cli_name: str) -> None:
    width = table_width()
    lines = [Text(line) for line in describe_run(status, cli_name=cli_name)]
    for table in (attempts_table(status, width=width), jobs_table(status, width=width)):
        lines += [Text(), *table] if table else []
    _print(lines)


def _print_runs(statuses: Sequence[RunStatus]) -> None:
    lines = runs_table(statuses, width=table_width())
    notes = dict.fromkeys(status.note for status in statuses if status.note is not None)
    _print([*lines, *(Text(text, style="dim") for text in (*legend(lines), *notes))])


def _print(lines: Iterable[Text]) -> None:
    console = text_console(highlight=False, soft_wrap=True)
    for line in lines:
        console.print(printable(line, console))


def _json(fields: Any) -> str:
    """JSON text with null for infinite and NaN numbers, which JSON lacks."""
    finite = json.loads(json.dumps(fields), parse_constant=lambda _: None)
    return json.dumps(finite, indent=2)
