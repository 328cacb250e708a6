"""`ftdist train`: train a run in the foreground, on this machine."""

import sys
from collections.abc import Sequence

from ftdist.config.compose import compose, hydra_flags, is_sweep, run_hydra_flags, sweep


def main(words: Sequence[str]) -> int:
    """Train one run, or a sweep (`-m`) one after another.

    Raises:
        FtdistError: the run cannot be started.
    """
    if hydra_flags(words):
        sys.stdout.write(run_hydra_flags(words))
        return 0
    if not is_sweep(words):
        return train(words)
    codes = [train(overrides) for overrides in sweep(words)]
    return next((code for code in codes if code), 0)


def train(overrides: Sequence[str]) -> int:
    """Train one run.

    Returns:
        The exit code.

    Raises:
        FtdistError: the run cannot be started.
    """
    from ftdist_launch.local.supervisor import Supervisor
    from ftdist_launch.run_setup import make_run_dir, plan_run

    from ftdist.cli.common import log
    from ftdist.cli.exit_messages import report_training
    from ftdist.cli.progress import progress_view_factory
    from ftdist.plan.describe import describe_exposures

    planned = plan_run(compose(overrides), new=True, log=log)
    plan = planned.plan
    run = make_run_dir(planned, overrides=overrides)
    each = f", each answer {how_often}" if (how_often := describe_exposures(plan)) else ""
    log(
        f"Run {run.name}: {plan.steps} steps of {plan.global_sequences} sequences of "
        f"{plan.sequence_length} tokens on {plan.world_size} ranks; {plan.epochs:.2f} passes over "
        f"the library{each}. In {run.root}."
    )
    supervisor = Supervisor.for_run(
        run, planned.config, make_view=progress_view_factory(run, steps=plan.steps), log=log
    )
    with supervisor.exclusive():
        finished = supervisor.train(plan, requested_by="train")
    return report_training(finished, run=run)
