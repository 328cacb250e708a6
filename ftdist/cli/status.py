"""`ftdist status`: where a run stands, and how its attempts ended."""

import sys
import time
from collections.abc import Sequence

from ftdist.cli.arguments import named_run, wants_help

HELP = """Usage: ftdist status R

Says where run R stands: step, loss, remaining time, and how each of its attempts ended.
"""

WORDS = {
    "new": "made, and never started",
    "running": "running",
    "lost": "not running: whoever watched it ended without a word",
    "done": "done",
    "stopped": "stopped when asked to",
    "failed": "failed",
    "crash_loop": "given up after attempts without progress",
    "requeue": "started again",
}


def main(words: Sequence[str]) -> int:
    """Print where a run stands.

    Raises:
        ConfigError: there is no such run.
    """
    if wants_help(words, HELP):
        return 0
    run, _ = named_run(words, verb="status", takes_keys=False)

    from rich.console import Console
    from rich.table import Table

    from ftdist.cli.progress import clock
    from launch.status import read_status

    status = read_status(run)
    told = [f"Run {status.name}: {WORDS[status.state]}.", f"Step {status.step}"]
    told[1] += f" of {status.steps}" if status.steps else ""
    told[1] += f", loss {status.loss:.4f}" if status.loss is not None else ""
    if status.state == "running" and status.eta_s is not None:
        told[1] += f", {clock(status.eta_s)} left"
    sys.stdout.write("\n".join(told) + ".\n")
    for problem in status.damaged:
        sys.stdout.write(f"Damaged checkpoint set aside: {problem}\n")
    if not status.attempts:
        return 0
    table = Table("attempt", "started", "ranks", "end", "checkpoint", "cause")
    for attempt in status.attempts:
        last = attempt is status.attempts[-1] and status.state == "running"
        end = WORDS[attempt.outcome] if attempt.outcome else "running" if last else "lost"
        table.add_row(
            str(attempt.number),
            time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(attempt.started)),
            str(attempt.world_size),
            end,
            "" if attempt.checkpoint is None else str(attempt.checkpoint),
            attempt.cause or "",
        )
    Console().print(table)
    return 0
