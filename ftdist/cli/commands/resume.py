"""`ftdist resume`: resume a run, on any number of ranks."""

from collections.abc import Sequence

from ftdist_launch.setup.run_setup import read_plan

from ftdist.api.resume import resume_run
from ftdist.cli.common import RunParser, log, print_result
from ftdist.cli.exit_messages import report_training
from ftdist.cli.progress import supervise
from ftdist.io.units import format_count

DESCRIPTION = """\
Resume a run from its newest valid checkpoint; the result is the same as without the interruption.
Keys of cluster, tracking, checkpoint, export, early_stopping and in-training eval may change, and
those that divide or place the same computation: batch.allow_uneven, batch.micro_batch_size,
batch.sequence_parallel_size, model.activation_checkpointing, model.activation_offload,
model.mlp_tiles, engine.offload_*. Other keys would make it a different run.

A run continues only with the model, tokenizer, library and config.yaml that it began with; what
differs is listed, and resume.accept=[tokenizer] takes what is there now. Where checkpoints have
vanished, it starts over only with resume.restart=true."""


def main(arguments: Sequence[str]) -> int:
    """Resume a run.

    Raises:
        FtdistError: there is no such run, or it cannot be resumed like this.
    """
    parsed = RunParser("resume", description=DESCRIPTION).parse_run(arguments)
    run = parsed.run
    ended = resume_run(run, parsed.overrides, supervise=supervise, log=log)
    if ended is None:
        steps = format_count(read_plan(run).steps, "step")
        print_result(f"Run {run.name} is complete: all {steps} are done.")
        return 0
    if isinstance(ended, list):
        print_result(
            f"Run {run.name}: job {', '.join(ended)}. Watch it: `ftdist watch {run.cli_name}`."
        )
        return 0
    return report_training(ended, run=run)
