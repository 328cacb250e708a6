"""`ftdist cancel`: cancel the jobs of a run; a running training saves a checkpoint first."""

from collections.abc import Sequence

from ftdist.cli.common import log, named_run, print_result, wants_help

HELP = """Usage: ftdist cancel R [--now]

Asks the training job of run R to finish its step, save a checkpoint and exit; its other jobs are
cancelled. `ftdist resume R` continues from the checkpoint. --now cancels all jobs at once: training
after the last checkpoint is lost.
"""


def main(words: Sequence[str]) -> int:
    """Cancel the jobs of a run.

    Raises:
        FtdistError: the run does not exist, has no jobs in the queue, or SLURM is unavailable.
    """
    if wants_help(words, HELP):
        return 0
    now = "--now" in words
    run, _ = named_run([w for w in words if w != "--now"], verb="cancel", takes_keys=False)

    from ftdist_launch.slurm.cancel import cancel
    from ftdist_launch.slurm.client import Queue

    for message in cancel(run, now=now, queue=Queue()):
        log(message)
    print_result(f"Resume run {run.name} with `ftdist resume {run.cli_name}`.")
    return 0
