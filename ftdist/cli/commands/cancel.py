"""`ftdist cancel`: checkpoint and stop a run, here or on a cluster."""

from collections.abc import Sequence

from ftdist_launch.local.cancel import cancel_local
from ftdist_launch.running_stage import continue_command, running_stage
from ftdist_launch.slurm.cancel import cancel
from ftdist_launch.slurm.client import Queue

from ftdist.cli.common import RunParser, log, print_result

DESCRIPTION = """\
Ask a run to finish its step, save a checkpoint and exit: a run on this machine, also one whose
terminal is gone, or the training job of a cluster, whose other jobs are cancelled.
`ftdist resume R` continues from the checkpoint. An export or comparison ends at once."""


def main(arguments: Sequence[str]) -> int:
    """Cancel a run.

    Raises:
        FtdistError: the run does not exist or does not run, or SLURM is unavailable.
    """
    parser = RunParser("cancel", description=DESCRIPTION, takes_keys=False)
    parser.add_argument(
        "--now", action="store_true", help="stop at once, losing steps after the last checkpoint"
    )
    parsed = parser.parse_run(arguments)
    run = parsed.run
    now = parsed.flags.now
    stage = running_stage(run)
    messages = cancel_local(run, now=now)
    if messages is None:
        messages = cancel(run, now=now, queue=Queue())
    for message in messages:
        log(message)
    print_result(f"Continue run {run.name} with `{continue_command(run, stage)}`.")
    return 0
