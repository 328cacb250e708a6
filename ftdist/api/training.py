"""Train a run on this machine."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ftdist_launch.attempts import Finished
from ftdist_launch.setup.run_setup import make_run_dir, plan_run

from ftdist.api.jobs import Supervise
from ftdist.config.compose import compose
from ftdist.io.progress import LogFn
from ftdist.io.units import format_count
from ftdist.plan.describe import describe_exposures
from ftdist.plan.plan import Plan
from ftdist.rundir import RunDir


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A run that was trained here, and how that ended."""

    run: RunDir
    plan: Plan
    finished: Finished


def train_run(
    overrides: Sequence[str],
    *,
    supervise: Supervise,
    log: LogFn,
    on_made: Callable[[RunDir], None] | None = None,
) -> Trained:
    """Train a new run in the foreground, with restarts.

    Args:
        overrides: `key=value`, as on a command line.
        supervise: shows its progress.
        log: for messages to the user.
        on_made: called with the directory before it is a run.

    Raises:
        FtdistError: the run cannot be started.
    """
    config, plan = plan_run(compose(overrides), new=True, log=log)
    run = make_run_dir(config, overrides=overrides, plan=plan, on_made=on_made)
    each = f", each answer {how_often}" if (how_often := describe_exposures(plan)) else ""
    log(
        f"Run {run.name}: {format_count(plan.steps, 'step')} of "
        f"{format_count(plan.global_sequences, 'sequence')} of {plan.sequence_length:,} tokens on "
        f"{format_count(plan.world_size, 'rank')}; {plan.epochs:.2f} passes over the library{each}."
        f" In {run.root}."
    )
    supervisor = supervise(run, config, steps=plan.steps)
    with supervisor.exclusive():
        finished = supervisor.train(plan, requested_by="train")
    return Trained(run=run, plan=plan, finished=finished)
