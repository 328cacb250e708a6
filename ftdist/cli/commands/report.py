"""`ftdist report`: regenerate the pages of a run."""

from collections.abc import Sequence

from ftdist_launch.local.submit import private_umask
from ftdist_launch.run_config import read_config

from ftdist.cli.common import RunParser, print_result
from ftdist.evaluation.report.html import write_page
from ftdist.observe.training_page import write_training_page

DESCRIPTION = """\
Regenerate the pages of R/report from the run directory: training.html has the curves and events of
training; index.html, once the run was compared, answers, scores and config. Loads no model. Each
page is one self-contained file."""


def main(arguments: Sequence[str]) -> int:
    """Write a run's pages.

    Raises:
        FtdistError: there is no such run, or a file of its comparison is damaged.
    """
    run = RunParser("report", description=DESCRIPTION, takes_keys=False).parse_run(arguments).run
    with private_umask(private=read_config(run).run.private):
        if (run.report / "scores.json").is_file():
            print_result(f"The report of run {run.name} is in {write_page(run)}.")
        else:
            print_result(
                f"The curves of run {run.name} are in {write_training_page(run)}; "
                f"`ftdist compare {run.cli_name}` adds the comparison with the base."
            )
    return 0
