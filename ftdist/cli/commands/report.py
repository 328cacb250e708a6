"""`ftdist report`: regenerate the HTML report of a run."""

from collections.abc import Sequence

from ftdist_launch.local.submit import private_umask
from ftdist_launch.setup.resume import read_config

from ftdist.cli.common import RunParser, print_result
from ftdist.evaluation.report.html import write_page

DESCRIPTION = """\
Regenerate R/report/index.html from the run directory: answers and scores of the last comparison,
metrics, attempts, config. Loads no model. The page is one self-contained file."""


def main(arguments: Sequence[str]) -> int:
    """Write a run's page.

    Raises:
        FtdistError: there is no such run, or it was never compared.
    """
    run = RunParser("report", description=DESCRIPTION, takes_keys=False).parse_run(arguments).run
    with private_umask(private=read_config(run).run.private):
        page = write_page(run)
    print_result(f"The report of run {run.name} is in {page}.")
    return 0
