"""`ftdist plan`: what a run would take. Starts nothing, writes nothing but the packed library."""

import sys
from collections.abc import Sequence

from ftdist.config.compose import compose, hydra_flags, is_sweep, run_hydra_flags
from ftdist.errors import ConfigError


def main(words: Sequence[str]) -> int:
    """Print the plan of the run that these keys describe.

    Raises:
        FtdistError: the run could not be started.
    """
    if hydra_flags(words):
        sys.stdout.write(run_hydra_flags(words))
        return 0
    if is_sweep(words):
        raise ConfigError(
            "`ftdist plan` plans one run, not a sweep.", remedy="leave out -m, plan one at a time."
        )
    from rich.console import Console
    from rich.table import Table

    from ftdist.cli.arguments import say
    from ftdist.config.plan import describe
    from launch.start import plan_run

    planned = plan_run(compose(words), new=False, say=say)
    table = Table(title=f"Plan of run {planned.config.run.name}", show_header=False)
    table.add_column("what", no_wrap=True)
    table.add_column("how much", overflow="fold")
    for what, how_much in describe(planned.plan):
        table.add_row(what, how_much)
    Console(soft_wrap=not sys.stdout.isatty()).print(table)
    return 0
