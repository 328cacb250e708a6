"""`ftdist status`: where runs stand, and how their attempts ended."""

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

from ftdist.cli.common import named_run, print_result, wants_help
from ftdist.io.units import format_duration
from ftdist.rundir import RUNS_ROOT

if TYPE_CHECKING:
    from ftdist_launch.status import AttemptStatus, RunStatus
    from rich.table import Table

HELP = """Usage: ftdist status [R] [--json]

Says where run R stands: step, loss, speed, remaining time; where it runs, or what it waits for;
how each of its attempts ended. Without R: all runs, the newest first, those of a sweep together.
run.root=DIR says where runs are, if not in runs/. --json prints the same facts for scripts.
"""

WORDS = {
    "new": "made, and never started",
    "pending": "not training yet",
    "preparing": "its library is being prepared",
    "running": "running",
    "restarting": "to be started again",
    "done": "done",
    "stopped": "stopped when asked to",
    "failed": "failed",
    "crash_loop": "given up after attempts without progress",
}
LOST_HERE = "not running: whoever watched it ended without a word"
LOST_THERE = "not running: its job has gone from the queue without a word"

SHORT = {"new": "not started", "crash_loop": "given up"}
"""States as one or two words, where those of the program are not plain."""

ENDS = {"requeue": "started again", "crash_loop": "given up", "stopped": "stopped when asked to"}
"""How an attempt ended, where the program's word is not plain."""


def main(words: Sequence[str]) -> int:
    """Print where a run stands, or all of them.

    Raises:
        FtdistError: there is no such run.
    """
    if wants_help(words, HELP):
        return 0
    as_json = "--json" in words
    words = [word for word in words if word != "--json"]

    from ftdist_launch.run_records import find_runs
    from ftdist_launch.slurm.client import Queue
    from ftdist_launch.status import read_all, read_status

    if any(not word.startswith("run.root=") for word in words):
        run, _ = named_run(words, verb="status", takes_keys=False)
        status = read_status(run, queue=Queue())
        if as_json:
            print_result(_json(asdict(status)))
        else:
            _tell(status, cli_name=run.cli_name)
        return 0
    root = Path(words[-1].partition("=")[2]) if words else RUNS_ROOT
    statuses = sorted(read_all(find_runs(root), queue=Queue()), key=lambda s: s.made, reverse=True)
    if as_json:
        print_result(_json([asdict(status) for status in statuses]))
    elif statuses:
        _tell_all(statuses)
    else:
        print_result(f"There is no run under {root}. Start one: `ftdist train experiment=tiny`.")
    return 0


def _tell(status: "RunStatus", *, cli_name: str) -> None:
    lines = [f"Run {status.name}: {_state(status)}.", f"{_measured(status)}."]
    if status.error is not None:
        lines.append(status.error)
    if status.remedy is not None:
        lines.append(f"To fix: {status.remedy}")
    if status.wandb_url is not None:
        lines.append(f"W&B: {status.wandb_url}")
    lines += [f"Damaged checkpoint set aside: {problem}" for problem in status.damaged]
    if status.note is not None:
        lines.append(status.note)
    if status.state in ("failed", "crash_loop", "stopped") or (
        status.state == "lost" and status.jobs
    ):
        lines.append(f"Go on with `ftdist resume {cli_name}`.")
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    if status.attempts:
        _print(_attempts_table(status))
    if status.jobs:
        table = _table("job", "stage", "state")
        for job in status.jobs:
            table.add_row(*_texts(job.job, job.stage, job.told))
        _print(table)


def _state(status: "RunStatus") -> str:
    """A run's state in plain words, and what it waits for."""
    words = WORDS.get(status.state) or (LOST_THERE if status.jobs else LOST_HERE)
    if status.state == "running" and status.attempts:
        newest = status.attempts[-1]
        by = "" if newest.job is None else f", job {newest.job}"
        words += f" on {_hosts(newest.hosts)} (attempt {newest.number}{by})"
    return words if status.why is None else f"{words}: {status.why.rstrip('.')}"


def _measured(status: "RunStatus") -> str:
    told = f"Step {status.step}"
    told += f" of {status.steps}" if status.steps else ""
    told += f", loss {status.loss:.4f}" if status.loss is not None else ""
    if status.state == "running":
        told += f", {_speed(status)} tokens/s" if status.tokens_per_s is not None else ""
        told += f", {_left(status)} left" if status.eta_s is not None else ""
    return told


def _attempts_table(status: "RunStatus") -> "Table":
    by_slurm = any(attempt.job for attempt in status.attempts)
    names = ["attempt", "started", "ranks", "on", *(["job"] if by_slurm else [])]
    table = _table(*names, "end", "checkpoint", "cause")
    for attempt in status.attempts:
        table.add_row(
            *_texts(
                str(attempt.number),
                time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(attempt.started)),
                str(attempt.world_size),
                _hosts(attempt.hosts),
                *([attempt.job or ""] if by_slurm else []),
                _end(attempt, status=status),
                "" if attempt.checkpoint is None else str(attempt.checkpoint),
                attempt.cause or "",
            )
        )
    return table


def _end(attempt: "AttemptStatus", *, status: "RunStatus") -> str:
    if attempt.outcome is not None:
        return ENDS.get(attempt.outcome, attempt.outcome)
    last = attempt is status.attempts[-1]
    return status.state if last and status.state in ("running", "restarting") else "lost"


def _tell_all(statuses: Sequence["RunStatus"]) -> None:
    """One row a run; those of a sweep together, where its newest run would stand."""
    sweeps = any(status.sweep for status in statuses)
    table = _table(
        *("run", "state", "step", "loss", "tokens/s", "left", "attempts"),
        *(["swept"] if sweeps else []),
    )
    told: set[str] = set()
    for status in statuses:
        if status.sweep is None:
            table.add_row(*_texts(*_row(status)))
        elif status.sweep not in told:
            told.add(status.sweep)
            group = sorted(
                (each for each in statuses if each.sweep == status.sweep),
                key=lambda each: _natural(each.name),
            )
            counts = Counter(_short(each) for each in group)
            states = ", ".join(f"{count} {state}" for state, count in counts.most_common())
            table.add_row(*_texts(f"sweep {status.sweep}", states))
            for each, swept in zip(group, swept_words([e.overrides for e in group]), strict=True):
                table.add_row(*_texts(*_row(each, indent="  "), " ".join(swept)))
    _print(table)
    for note in dict.fromkeys(status.note for status in statuses if status.note is not None):
        print_result(note)


def swept_words(overrides: Sequence[Sequence[str]]) -> list[list[str]]:
    """Of each run of a sweep: the words that not all of its runs have; names are left out."""
    common = set.intersection(*(set(words) for words in overrides)) if overrides else set()
    return [
        [word for word in words if word not in common and not word.startswith("run.name=")]
        for words in overrides
    ]


def _row(status: "RunStatus", *, indent: str = "") -> list[str]:
    running = status.state == "running"
    return [
        f"{indent}{status.name}",
        _short(status),
        f"{status.step}/{status.steps or '?'}" if status.step or status.steps else "",
        "" if status.loss is None else f"{status.loss:.4f}",
        _speed(status) if running else "",
        _left(status) if running else "",
        str(len(status.attempts) or ""),
    ]


def _short(status: "RunStatus") -> str:
    return SHORT.get(status.state, status.state)


def _speed(status: "RunStatus") -> str:
    return "" if status.tokens_per_s is None else f"{status.tokens_per_s:,.0f}"


def _left(status: "RunStatus") -> str:
    return "" if status.eta_s is None else format_duration(status.eta_s)


def _hosts(hosts: Sequence[str], *, most: int = 4) -> str:
    more = f" and {len(hosts) - most} more" if len(hosts) > most else ""
    return ", ".join(hosts[:most]) + more


def _natural(name: str) -> list[tuple[bool, int, str]]:
    """Sorts r-2 before r-10."""
    parts = re.split(r"(\d+)", name)
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts]


def _table(*names: str) -> "Table":
    from rich.table import Table

    return Table(*names)


def _texts(*cells: str) -> list[Any]:
    """Cells whose square brackets are no markup."""
    from rich.text import Text

    return [Text(cell) for cell in cells]


def _print(table: "Table") -> None:
    from rich.console import Console

    # A file or a pipe has no width: nothing is cut there.
    wide = not sys.stdout.isatty() and "COLUMNS" not in os.environ
    Console(width=240 if wide else None).print(table)


def _json(facts: Any) -> str:
    return json.dumps(_finite(facts), indent=2, allow_nan=False)


def _finite(facts: Any) -> Any:
    """JSON knows no infinite number; a loss may be one."""
    if isinstance(facts, dict):
        return {name: _finite(value) for name, value in facts.items()}
    if isinstance(facts, (list, tuple)):
        return [_finite(each) for each in facts]
    return None if isinstance(facts, float) and not math.isfinite(facts) else facts
