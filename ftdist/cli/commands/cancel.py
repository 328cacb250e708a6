"""`ftdist cancel`: have a run save and end, or leave the queue."""

from collections.abc import Sequence

from ftdist.cli.common import log, named_run, print_result, wants_help

HELP = """Usage: ftdist cancel R [--now]

Asks the jobs of run R to finish their step, save and end; `ftdist resume R` goes on from there.
Jobs that still wait leave the queue. --now ends them at once, back to their last checkpoint.
"""


def main(words: Sequence[str]) -> int:
    """End the jobs of a run.

    Raises:
        FtdistError: there is no such run, nothing of it is in the queue, or SLURM does not answer.
    """
    if wants_help(words, HELP):
        return 0
    now = "--now" in words
    run, _ = named_run([w for w in words if w != "--now"], verb="cancel", takes_keys=False)

    from ftdist_launch.slurm.cancel import cancel
    from ftdist_launch.slurm.client import Queue

    told = cancel(run, now=now, queue=Queue())
    for sentence in told:
        log(sentence)
    print_result(f"Go on with run {run.name} by `ftdist resume {run.cli_name}`.")
    return 0
