"""`ftdist plan`: estimate what a run takes. Only writes the packed dataset to the cache."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from ftdist_launch.setup.plan_elsewhere import elsewhere_problems
from ftdist_launch.setup.preflight import Machine, disk_problems, run_dir
from ftdist_launch.setup.run_setup import plan_run
from rich.table import Table
from rich.text import Text

from ftdist.cli.common import (
    answer_hydra,
    log,
    print_json,
    print_plan,
    print_table,
    report,
    take_flag,
)
from ftdist.cli.config_note import log_user_files
from ftdist.config.compose import compose
from ftdist.config.schema import RunConfig
from ftdist.config.sweep import Sweep, is_sweep, read_sweep
from ftdist.io.progress import LogFn
from ftdist.io.units import format_duration
from ftdist.plan.describe import describe, describe_duration
from ftdist.plan.duration import estimate_duration
from ftdist.plan.plan import Plan

NAMELESS = "plan"
"""Default run name: a plan needs none."""


def main(words: Sequence[str]) -> int:
    """Print the plan of the run, or with `-m` of the runs, that these keys describe.

    Returns:
        0, or 74 if the disk is too small.

    Raises:
        FtdistError: the run could not be started.
    """
    if answer_hydra(words, command="plan"):
        return 0
    as_json, words = take_flag("--json", words)
    if is_sweep(words):
        sweep = read_sweep(words, verb="plan", name=NAMELESS)
        log_user_files(run.overrides for run in sweep.runs)
        once = _log_once()
        planned = [_plan(each.overrides, log=once) for each in sweep.runs]
        if as_json:
            print_json({"runs": [_fields(*each) for each in planned]})
        else:
            _print_sweep(sweep, planned)
    else:
        log_user_files([words])
        planned = [_plan(words)]
        ((config, plan),) = planned
        name = config.run.name
        if as_json:
            print_json(_fields(config, plan))
        else:
            duration = estimate_duration(config, plan=plan)
            print_plan(
                [*describe(plan), *describe_duration(duration, plan=plan)],
                title="Plan" if name == NAMELESS else f"Plan of run {name}",
            )
    if elsewhere_problems(planned[0][0], machine=Machine.here()) is not None:
        return 0  # the disk of this machine is not the run's
    needed_gib = sum(plan.disk_gib for _, plan in planned)
    for problem in disk_problems(
        run_dir(planned[0][0]).root,
        needed_gib=needed_gib,
        keep_latest=planned[0][0].checkpoint.keep_latest,
    ):
        report(str(problem))
        return problem.exit_code
    return 0


def _plan(overrides: Sequence[str], *, log: LogFn = log) -> tuple[RunConfig, Plan]:
    return plan_run(compose(overrides, name=NAMELESS), new=False, log=log, elsewhere=True)


def _fields(config: RunConfig, plan: Plan) -> dict[str, Any]:
    """A plan and its estimated duration, for --json."""
    duration = estimate_duration(config, plan=plan)
    return {"run": config.run.name, **asdict(plan), "duration": asdict(duration)}


def _log_once() -> LogFn:
    """Log each message once, though every run of a sweep has it."""
    seen: set[str] = set()

    def log_new(message: str) -> None:
        if message not in seen:
            log(message)
        seen.add(message)

    return log_new


def _print_sweep(sweep: Sweep, planned: Sequence[tuple[RunConfig, Plan]]) -> None:
    """One row per run, with its values of the swept keys."""
    keys, plans = list(sweep.runs[0].swept), [plan for _, plan in planned]
    seconds = [estimate_duration(config, plan=plan).seconds for config, plan in planned]
    table = Table(title=f"Plan of {len(plans)} runs, one after another")
    for key in keys:
        table.add_column(key.rpartition(".")[2], overflow="fold")
    for name in ("steps", "passes", "tokens", "time", "GiB per rank", "disk GiB"):
        table.add_column(name, justify="right")
    for run, plan, each_s in zip(sweep.runs, plans, seconds, strict=True):
        table.add_row(*(Text(run.swept[key]) for key in keys), *_cells(plan, seconds=each_s))
    tokens = sum(p.tokens for p in plans)
    total = (
        *(f"{sum(p.steps for p in plans):,}", "", f"{tokens:,}"),
        f"about {format_duration(sum(seconds))}",
    )
    table.add_section()
    disk = f"{sum(p.disk_gib for p in plans):.2f}"
    table.add_row(*["all", *[""] * len(keys)][: len(keys)], *total, "", disk)
    print_table(table)


def _cells(plan: Plan, *, seconds: float) -> tuple[str, ...]:
    return (
        *(f"{plan.steps:,}", f"{plan.epochs:.2f}", f"{plan.tokens:,}"),
        f"about {format_duration(seconds)}",
        *(f"{plan.device_gib:.2f}", f"{plan.disk_gib:.2f}"),
    )
