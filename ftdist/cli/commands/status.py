"""`ftdist status`: show the state of one run, or of all runs."""

import json
import math
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftdist.cli.common import RunParser, print_result
from ftdist.io.units import format_duration
from ftdist.rundir import RUNS_ROOT

if TYPE_CHECKING:
    from ftdist_launch.status import AttemptStatus, RunStatus
    from rich.table import Table

DESCRIPTION = """\
Show the state of a run: step, loss, throughput, remaining time; where it runs, what it waits for,
and how each attempt ended. Without a run: all runs, newest first, grouped by sweep."""

STATES = {
    "new": "never started",
    "stopped": "stopped on request",
    "crash_loop": "given up after attempts without progress",
}
"""States as shown, where they differ from `ftdist_launch.status.State`."""

LOST_HERE = "lost: the `ftdist` that ran it ended without recording an end"
LOST_ON_CLUSTER = "lost: its job left the queue without recording an end"

SHORT_STATES = {"new": "not started", "crash_loop": "given up"}

OUTCOMES = {"requeue": "restarted", "crash_loop": "given up", "stopped": "stopped on request"}
"""How an attempt ended, where it differs from `ftdist_launch.restart_policy.Outcome`."""


def main(arguments: Sequence[str]) -> int:
    """Print the state of one run, or of all.

    Raises:
        FtdistError: the run does not exist.
    """
    parser = RunParser("status", description=DESCRIPTION, takes_keys=False)
    parser.add_argument("--json", action="store_true", help="print all fields as JSON, for scripts")
    flags = parser.parse_intermixed_args(arguments)
    words = [word for word in (flags.run, *flags.overrides) if word is not None]

    from ftdist_launch.run_records import find_runs
    from ftdist_launch.slurm.client import Queue
    from ftdist_launch.status import read_all, read_status

    if any(not word.startswith("run.root=") for word in words):
        run = parser.parse_run(arguments).run
        status = read_status(run, queue=Queue())
        if flags.json:
            print_result(_json(asdict(status)))
        else:
            _print_run(status, cli_name=run.cli_name)
        return 0
    root = Path(words[-1].partition("=")[2]) if words else RUNS_ROOT
    statuses = sorted(
        read_all(find_runs(root), queue=Queue()), key=lambda s: s.created, reverse=True
    )
    if flags.json:
        print_result(_json([asdict(status) for status in statuses]))
    elif statuses:
        _print_runs(statuses)
    else:
        print_result(f"No runs under {root}. Start one: `ftdist train experiment=tiny`.")
    return 0


def _print_run(status: "RunStatus", *, cli_name: str) -> None:
    lines = [f"Run {status.name}: {_describe_state(status)}.", f"{_describe_progress(status)}."]
    if status.error is not None:
        lines.append(status.error)
    if status.remedy is not None:
        lines.append(f"To fix: {status.remedy}")
    if status.wandb_url is not None:
        lines.append(f"W&B: {status.wandb_url}")
    lines += [f"Corrupt checkpoint set aside: {problem}" for problem in status.corrupt_checkpoints]
    if status.note is not None:
        lines.append(status.note)
    if status.state in ("failed", "crash_loop", "stopped") or (
        status.state == "lost" and status.jobs
    ):
        lines.append(f"Resume it with `ftdist resume {cli_name}`.")
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    if status.attempts:
        _print(_attempts_table(status))
    if status.jobs:
        table = _table("job", "stage", "state")
        for job in status.jobs:
            table.add_row(*_cells(job.job, job.stage, job.summary))
        _print(table)


def _describe_state(status: "RunStatus") -> str:
    """A run's state, and what it waits for."""
    if status.state == "lost":
        state = LOST_ON_CLUSTER if status.jobs else LOST_HERE
    else:
        state = STATES.get(status.state, status.state)
    if status.state == "running" and status.attempts:
        newest = status.attempts[-1]
        job = "" if newest.job is None else f", job {newest.job}"
        state += f" on {_hosts(newest.hosts)} (attempt {newest.number}{job})"
    return state if status.reason is None else f"{state}: {status.reason.rstrip('.')}"


def _describe_progress(status: "RunStatus") -> str:
    text = f"Step {status.step}"
    text += f" of {status.steps}" if status.steps else ""
    text += f", loss {status.loss:.4f}" if status.loss is not None else ""
    if status.state == "running":
        text += f", {_throughput(status)} tokens/s" if status.tokens_per_s is not None else ""
        text += f", {_eta(status)} left" if status.eta_s is not None else ""
    return text


def _attempts_table(status: "RunStatus") -> "Table":
    by_slurm = any(attempt.job for attempt in status.attempts)
    names = ["attempt", "started", "ranks", "on", *(["job"] if by_slurm else [])]
    table = _table(*names, "end", "checkpoint", "cause")
    for attempt in status.attempts:
        table.add_row(
            *_cells(
                str(attempt.number),
                time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(attempt.started)),
                str(attempt.world_size),
                _hosts(attempt.hosts),
                *([attempt.job or ""] if by_slurm else []),
                _outcome(attempt, status=status),
                "" if attempt.checkpoint is None else str(attempt.checkpoint),
                attempt.cause or "",
            )
        )
    return table


def _outcome(attempt: "AttemptStatus", *, status: "RunStatus") -> str:
    if attempt.outcome is not None:
        return OUTCOMES.get(attempt.outcome, attempt.outcome)
    last = attempt is status.attempts[-1]
    return status.state if last and status.state in ("running", "restarting") else "lost"


def _print_runs(statuses: Sequence["RunStatus"]) -> None:
    """One row per run; the runs of a sweep together, at the row of its newest run."""
    sweeps = any(status.sweep for status in statuses)
    table = _table(
        *("run", "state", "step", "loss", "tokens/s", "left", "attempts"),
        *(["swept"] if sweeps else []),
    )
    printed: set[str] = set()
    for status in statuses:
        if status.sweep is None:
            table.add_row(*_cells(*_row(status)))
        elif status.sweep not in printed:
            printed.add(status.sweep)
            _add_sweep(table, [each for each in statuses if each.sweep == status.sweep])
    _print(table)
    for note in dict.fromkeys(status.note for status in statuses if status.note is not None):
        print_result(note)


def _add_sweep(table: "Table", runs: Sequence["RunStatus"]) -> None:
    runs = sorted(runs, key=lambda run: _natural(run.name))
    counts = Counter(SHORT_STATES.get(run.state, run.state) for run in runs)
    states = ", ".join(f"{count} {state}" for state, count in counts.most_common())
    table.add_row(*_cells(f"sweep {runs[0].sweep}", states))
    swept = swept_overrides([run.overrides for run in runs])
    for run, overrides in zip(runs, swept, strict=True):
        table.add_row(*_cells(*_row(run, indent="  "), " ".join(overrides)))


def swept_overrides(runs: Sequence[Sequence[str]]) -> list[list[str]]:
    """For each run of a sweep the overrides that not all of its runs have, without run.name."""
    common = set.intersection(*map(set, runs)) if runs else set()
    return [
        [each for each in overrides if each not in common and not each.startswith("run.name=")]
        for overrides in runs
    ]


def _row(status: "RunStatus", *, indent: str = "") -> list[str]:
    running = status.state == "running"
    return [
        f"{indent}{status.name}",
        SHORT_STATES.get(status.state, status.state),
        f"{status.step}/{status.steps or '?'}" if status.step or status.steps else "",
        "" if status.loss is None else f"{status.loss:.4f}",
        _throughput(status) if running else "",
        _eta(status) if running else "",
        str(len(status.attempts) or ""),
    ]


def _throughput(status: "RunStatus") -> str:
    return "" if status.tokens_per_s is None else f"{status.tokens_per_s:,.0f}"


def _eta(status: "RunStatus") -> str:
    return "" if status.eta_s is None else format_duration(status.eta_s)


def _hosts(hosts: Sequence[str], *, max_shown: int = 4) -> str:
    more = f" and {len(hosts) - max_shown} more" if len(hosts) > max_shown else ""
    return ", ".join(hosts[:max_shown]) + more


def _natural(name: str) -> list[tuple[bool, int, str]]:
    """Sort key with r-2 before r-10."""
    parts = re.split(r"(\d+)", name)
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts]


def _table(*names: str) -> "Table":
    from rich.table import Table

    return Table(*names)


def _cells(*texts: str) -> list[Any]:
    """Table cells in which square brackets are not markup."""
    from rich.text import Text

    return [Text(text) for text in texts]


def _print(table: "Table") -> None:
    from rich.console import Console

    # A file or a pipe has no width: nothing is truncated there.
    wide = not sys.stdout.isatty() and "COLUMNS" not in os.environ
    Console(width=240 if wide else None).print(table)


def _json(fields: Any) -> str:
    return json.dumps(_finite(fields), indent=2, allow_nan=False)


def _finite(value: Any) -> Any:
    """Replace infinite and NaN numbers, which JSON lacks, by None."""
    if isinstance(value, dict):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
