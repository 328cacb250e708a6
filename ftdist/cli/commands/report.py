"""`ftdist report`: the page that shows what a run's model has learned, written anew."""

from collections.abc import Sequence

from ftdist.cli.common import named_run, print_result, wants_help

HELP = """Usage: ftdist report R

Writes R/report/index.html anew from what run R has on record: the answers and scores of the last
`ftdist compare`, metrics, attempts, config. No model is asked. One file, which opens anywhere.
"""


def main(words: Sequence[str]) -> int:
    """Write a run's page.

    Raises:
        FtdistError: there is no such run, or it was never compared.
    """
    if wants_help(words, HELP):
        return 0
    run, _ = named_run(words, verb="report", takes_keys=False)

    from ftdist_launch.local.submit import private_umask
    from ftdist_launch.resume import read_config

    from ftdist.evaluation.report.html import write_page

    with private_umask(private=read_config(run).run.private):
        page = write_page(run)
    print_result(f"The report of run {run.name} is in {page}.")
    return 0
