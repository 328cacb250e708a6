"""`ftdist cancel`: checkpoint and stop a run's jobs, or remove them from the queue."""

from collections.abc import Sequence

from ftdist_launch.slurm.cancel import cancel
from ftdist_launch.slurm.client import Queue

from ftdist.cli.common import RunParser, log, print_result

DESCRIPTION = """\
Ask the training job of a run to finish its step, save a checkpoint and exit, and cancel its other
jobs. `ftdist resume R` continues from the checkpoint."""


def main(arguments: Sequence[str]) -> int:
    """Cancel the jobs of a run.

    Raises:
        FtdistError: the run does not exist, has no jobs in the queue, or SLURM is unavailable.
    """
    parser = RunParser("cancel", description=DESCRIPTION, takes_keys=False)
    parser.add_argument(
        "--now", action="store_true", help="stop at once, losing steps after the last checkpoint"
    )
    parsed = parser.parse_run(arguments)
    run = parsed.run
    for message in cancel(run, now=parsed.flags.now, queue=Queue()):
        log(message)
    print_result(f"Resume run {run.name} with `ftdist resume {run.cli_name}`.")
    return 0
