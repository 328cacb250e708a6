"""`ftdist train`: train a run in the foreground, on this machine."""

from collections.abc import Sequence

from ftdist_launch.setup.run_setup import make_run_dir, plan_run

from ftdist.cli.common import answer_hydra, log
from ftdist.cli.exit_messages import report_training
from ftdist.cli.progress import supervise
from ftdist.config.compose import compose
from ftdist.config.sweep import is_sweep, sweep
from ftdist.plan.describe import describe_exposures


def main(words: Sequence[str]) -> int:
    """Train one run, or a sweep (`-m`) one after another.

    Raises:
        FtdistError: the run cannot be started.
    """
    if answer_hydra(words, command="train"):
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
    config, plan = plan_run(compose(overrides), new=True, log=log)
    run = make_run_dir(config, overrides=overrides, plan=plan)
    each = f", each answer {how_often}" if (how_often := describe_exposures(plan)) else ""
    log(
        f"Run {run.name}: {plan.steps} steps of {plan.global_sequences} sequences of "
        f"{plan.sequence_length} tokens on {plan.world_size} ranks; {plan.epochs:.2f} passes over "
        f"the library{each}. In {run.root}."
    )
    supervisor = supervise(run, config, steps=plan.steps)
    with supervisor.exclusive():
        finished = supervisor.train(plan, requested_by="train")
    return report_training(finished, run=run)
