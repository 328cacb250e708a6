"""The table of a sweep: its runs, what was swept, their scores, and the best."""

from collections.abc import Mapping, Sequence

from ftdist_launch.sweeps.records import Trial
from rich.table import Table
from rich.text import Text

from ftdist.cli.common import print_result, print_table
from ftdist.io.units import format_count

BEST = "best"
FAILED = "failed"


def print_sweep(name: str, trials: Sequence[Trial], *, states: Mapping[str, str]) -> None:
    """Print the runs of a sweep with their scores, and name the best.

    Args:
        name: of the sweep.
        trials: its runs.
        states: how runs ended, by name, also of those without a run directory.
    """
    if not trials:
        return
    keys = list(dict.fromkeys(key for trial in trials for key in trial.swept))
    score = trials[0].score
    table = Table(title=f"Sweep {name}: {format_count(len(trials), 'run')}")
    table.add_column("run", overflow="fold")
    for key in keys:
        table.add_column(key.rpartition(".")[2], overflow="fold")
    table.add_column(score.name, justify="right")
    table.add_column("state")
    for trial in trials:
        state = BEST if trial.is_best else states.get(trial.run.name, "")
        value = "" if trial.value is None else f"{trial.value:.4f}"
        cells = [trial.run.name, *(trial.swept.get(key, "") for key in keys), value, state]
        table.add_row(*(Text(cell, style="bold" if trial.is_best else "") for cell in cells))
    print_table(table)
    print_result(_conclusion(trials, states=states))


def _conclusion(trials: Sequence[Trial], *, states: Mapping[str, str]) -> str:
    """The best run and what to do with it; how many failed."""
    score = trials[0].score
    best = next((trial for trial in trials if trial.is_best), None)
    failed = sum(state in ("failed", "crash_loop", "lost") for state in states.values())
    lines = []
    if failed:
        lines.append(f"{format_count(failed, 'run')} of {len(states)} failed.")
    if best is None:
        lines.append(f"No finished run has a {score.name}.")
    elif len(trials) > 1:
        lines.append(f"Best: {best.run.name}, {score.name} {best.value:.4f} ({score.direction}).")
        lines.append(f"Next: `ftdist export {best.run.cli_name}`.")
    return "\n".join(lines)
