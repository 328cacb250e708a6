"""`ftdist plan`: estimate what a run takes. Only writes the packed dataset to the cache."""

import sys
from collections.abc import Sequence

from ftdist.config.compose import compose, hydra_flags, is_sweep, run_hydra_flags
from ftdist.errors import ConfigError, StorageError

NAMELESS = "plan"
"""Default run name: a plan needs none."""


def main(words: Sequence[str]) -> int:
    """Print the plan of the run that these keys describe.

    Returns:
        0, or 74 if the disk is too small for the run.

    Raises:
        FtdistError: the run could not be started.
    """
    if hydra_flags(words):
        sys.stdout.write(run_hydra_flags(words).replace("ftdist train", "ftdist plan"))
        return 0
    if is_sweep(words):
        raise ConfigError("`ftdist plan` takes one run, not a sweep.", remedy="leave out -m.")
    from ftdist_launch.preflight import check_plan, run_dir
    from ftdist_launch.run_setup import plan_run
    from rich.console import Console
    from rich.table import Table

    from ftdist.cli.common import log
    from ftdist.plan.describe import describe

    planned = plan_run(compose(words, name=NAMELESS), new=False, log=log)
    name = planned.config.run.name
    title = "Plan" if name == NAMELESS else f"Plan of run {name}"
    table = Table(title=title, show_header=False)
    table.add_column("what", no_wrap=True)
    table.add_column("how much", overflow="fold")
    for what, how_much in describe(planned.plan):
        table.add_row(what, how_much)
    Console(soft_wrap=not sys.stdout.isatty()).print(table)
    try:
        check_plan(planned.plan, root=run_dir(planned.config).root)
    except StorageError as error:
        log(str(error))
        return error.exit_code
    return 0
