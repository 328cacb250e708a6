"""`ftdist status`: show the state of one run, or of all runs."""

import json
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ftdist_launch.run_records import find_runs
from ftdist_launch.slurm.client import Queue
from ftdist_launch.status import AttemptStatus, RunStatus, read_all, read_status
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ftdist.cli.common import RunParser, print_result
from ftdist.io.units import format_duration
from ftdist.rundir import RUNS_ROOT

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


def _print_run(status: RunStatus, *, cli_name: str) -> None:
    may_resume = status.state in ("failed", "crash_loop", "stopped") or (
        status.state == "lost" and status.jobs
    )
    lines = [
        f"Run {status.name}: {_describe_state(status)}.",
        f"{_describe_progress(status)}.",
        status.error,
        None if status.remedy is None else f"To fix: {status.remedy}",
        None if status.wandb_url is None else f"W&B: {status.wandb_url}",
        *(f"Corrupt checkpoint set aside: {problem}" for problem in status.corrupt_checkpoints),
        status.note,
        f"Resume it with `ftdist resume {cli_name}`." if may_resume else None,
    ]
    sys.stdout.write("".join(f"{line}\n" for line in lines if line is not None))
    if status.attempts:
        _print(_attempts_table(status))
    if status.jobs:
        rows = [(job.job, job.stage, job.summary) for job in status.jobs]
        _print(_table("job", "stage", "state", rows=rows))


def _describe_state(status: RunStatus) -> str:
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


def _describe_progress(status: RunStatus) -> str:
    text = f"Step {status.step}"
    text += f" of {status.steps}" if status.steps else ""
    text += f", loss {status.loss:.4f}" if status.loss is not None else ""
    if status.state == "running":
        text += f", {_throughput(status)} tokens/s" if status.tokens_per_s is not None else ""
        text += f", {_eta(status)} left" if status.eta_s is not None else ""
    return text


def _attempts_table(status: RunStatus) -> Table:
    by_slurm = any(attempt.job for attempt in status.attempts)
    rows = [
        (
            str(attempt.number),
            time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(attempt.started)),
            str(attempt.world_size),
            _hosts(attempt.hosts),
            *([attempt.job or ""] if by_slurm else []),
            _outcome(attempt, status=status),
            "" if attempt.checkpoint is None else str(attempt.checkpoint),
            attempt.cause or "",
        )
        for attempt in status.attempts
    ]
    names = ["attempt", "started", "ranks", "on", *(["job"] if by_slurm else [])]
    return _table(*names, "end", "checkpoint", "cause", rows=rows)


def _outcome(attempt: AttemptStatus, *, status: RunStatus) -> str:
    if attempt.outcome is not None:
        return OUTCOMES.get(attempt.outcome, attempt.outcome)
    last = attempt is status.attempts[-1]
    return status.state if last and status.state in ("running", "restarting") else "lost"


def _print_runs(statuses: Sequence[RunStatus]) -> None:
    """One row per run; the runs of a sweep together, at the row of its newest run."""
    sweeps: dict[tuple[str | None, str], list[RunStatus]] = {}
    for status in statuses:
        sweeps.setdefault((status.sweep, status.sweep or status.name), []).append(status)
    rows: list[Sequence[str]] = []
    for runs in sweeps.values():
        rows += [_row(runs[0])] if runs[0].sweep is None else _sweep_rows(runs)
    names = ("run", "state", "step", "loss", "tokens/s", "left", "attempts")
    swept = ["swept"] if any(status.sweep for status in statuses) else []
    _print(_table(*names, *swept, rows=rows))
    for note in dict.fromkeys(status.note for status in statuses if status.note is not None):
        print_result(note)


def _sweep_rows(runs: Sequence[RunStatus]) -> list[Sequence[str]]:
    runs = sorted(runs, key=lambda run: _natural(run.name))
    counts = Counter(SHORT_STATES.get(run.state, run.state) for run in runs)
    states = ", ".join(f"{count} {state}" for state, count in counts.most_common())
    swept = swept_overrides([run.overrides for run in runs])
    return [
        (f"sweep {runs[0].sweep}", states),
        *(
            (*_row(run, indent="  "), " ".join(overrides))
            for run, overrides in zip(runs, swept, strict=True)
        ),
    ]


def swept_overrides(runs: Sequence[Sequence[str]]) -> list[list[str]]:
    """For each run of a sweep the overrides that not all of its runs have, without run.name."""
    common = set.intersection(*map(set, runs)) if runs else set()
    return [
        [each for each in overrides if each not in common and not each.startswith("run.name=")]
        for overrides in runs
    ]


def _row(status: RunStatus, *, indent: str = "") -> list[str]:
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


def _throughput(status: RunStatus) -> str:
    return "" if status.tokens_per_s is None else f"{status.tokens_per_s:,.0f}"


def _eta(status: RunStatus) -> str:
    return "" if status.eta_s is None else format_duration(status.eta_s)


def _hosts(hosts: Sequence[str], *, max_shown: int = 4) -> str:
    more = f" and {len(hosts) - max_shown} more" if len(hosts) > max_shown else ""
    return ", ".join(hosts[:max_shown]) + more


def _natural(name: str) -> list[int | str]:
    """Sort key with r-2 before r-10."""
    return [int(part) if part.isdigit() else part for part in re.split(r"([0-9]+)", name)]


def _table(*names: str, rows: Sequence[Sequence[str]]) -> Table:
    """A table in whose cells square brackets are not markup."""
    table = Table(*names)
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def _print(table: Table) -> None:
    # A file or a pipe has no width: nothing is truncated there.
    wide = not sys.stdout.isatty() and "COLUMNS" not in os.environ
    Console(width=240 if wide else None).print(table)


def _json(fields: Any) -> str:
    """JSON text with null for infinite and NaN numbers, which JSON lacks."""
    finite = json.loads(json.dumps(fields), parse_constant=lambda _: None)
    return json.dumps(finite, indent=2)
