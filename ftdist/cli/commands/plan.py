"""`ftdist plan`: estimate what a run takes. Only writes the packed dataset to the cache."""

from collections.abc import Sequence

from ftdist_launch.setup.preflight import disk_problems, run_dir
from ftdist_launch.setup.run_setup import plan_run

from ftdist.cli.common import answer_hydra, log, print_plan
from ftdist.config.compose import compose
from ftdist.config.sweep import is_sweep
from ftdist.errors import ConfigError
from ftdist.plan.describe import describe

NAMELESS = "plan"
"""Default run name: a plan needs none."""


def main(words: Sequence[str]) -> int:
    """Print the plan of the run that these keys describe.

    Returns:
        0, or 74 if the disk is too small for the run.

    Raises:
        FtdistError: the run could not be started.
    """
    if answer_hydra(words, command="plan"):
        return 0
    if is_sweep(words):
        raise ConfigError("`ftdist plan` takes one run, not a sweep.", remedy="leave out -m.")
    config, plan = plan_run(compose(words, name=NAMELESS), new=False, log=log)
    name = config.run.name
    print_plan(describe(plan), title="Plan" if name == NAMELESS else f"Plan of run {name}")
    for problem in disk_problems(run_dir(config).root, needed_gib=plan.disk_gib):
        log(str(problem))
        return problem.exit_code
    return 0
