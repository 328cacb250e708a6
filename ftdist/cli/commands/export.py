"""`ftdist export`: the tuned model as a Hugging Face folder."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ftdist.cli.common import log, named_run, wants_help
from ftdist.errors import ConfigError

if TYPE_CHECKING:
    from ftdist.config.schema import RunConfig
    from ftdist.rundir import RunDir

HELP = """Usage: ftdist export R [export.checkpoint=newest] [export.dtype=bfloat16] [...]

Writes the best checkpoint of run R, or the newest where none was measured while it trained, as a
Hugging Face model folder, R/export: safetensors, tokenizer, chat template, model card. It is
reloaded and compared before it is called done.
"""


def main(words: Sequence[str]) -> int:
    """Export a run's tuned model.

    Raises:
        FtdistError: there is no such run, or nothing to export.
    """
    if wants_help(words, HELP):
        return 0
    run, overrides = named_run(words, verb="export")

    from dataclasses import replace

    from ftdist_launch.local.supervisor import (
        Supervisor,
        damages,
        exported_step,
        refuse_all_damaged,
    )
    from ftdist_launch.preflight import export_problems, raise_together
    from ftdist_launch.resume import changed, read_config
    from ftdist_launch.run_setup import read_plan

    from ftdist.cli.common import print_result
    from ftdist.cli.exit_messages import report_stage
    from ftdist.cli.progress import progress_view_factory
    from ftdist.config.compose import save_config

    before = read_config(run)
    allowed = (
        "export.checkpoint",
        "export.dtype",
        "export.max_shard_gib",
        "cluster.",
    )
    config = changed(before, overrides, allowed=allowed)
    if config.cluster.executor == "slurm":
        return _submit(run, config, kept=replace(before, checkpoint=config.checkpoint))
    steps = read_plan(run).steps
    refuse_all_damaged(run)
    raise_together(list(export_problems(run)))
    supervisor = Supervisor.for_run(
        run, config, make_view=progress_view_factory(run, steps=None), log=log
    )
    with supervisor.exclusive():
        known = len(damages(run))
        # How this export runs is not how the run goes on: of the overrides only its form is kept.
        kept = replace(before, checkpoint=config.checkpoint)
        if kept != before:
            save_config(kept, run.config)
        finished = supervisor.once("export")
    for problem in damages(run)[known:]:
        log(f"Damaged checkpoint set aside: {problem}")
    if finished.exit_code:
        return report_stage(finished, run=run, verb="export")
    if not (run.export / "config.json").is_file():
        raise ConfigError(
            f"The export of run {run.name} ended well, but {run.export} is not there.",
            remedy=f"read the logs in {run.jobs / 'export'}.",
        )
    step = exported_step(run)
    of = "" if step is None else f", of step {step} of {steps},"
    print_result(f"The tuned model of run {run.name}{of} is in {run.export}.")
    return 0


def _submit(run: "RunDir", config: "RunConfig", *, kept: "RunConfig") -> int:
    """Put the export into the queue, behind a training that is there."""
    from ftdist_launch.local.supervisor import refuse_all_damaged
    from ftdist_launch.preflight import export_problems, raise_together
    from ftdist_launch.slurm.client import Queue
    from ftdist_launch.slurm.run_jobs import queued_jobs_of
    from ftdist_launch.slurm.submit import submit_stage

    from ftdist.cli.common import print_result
    from ftdist.config.compose import save_config

    queue = Queue()
    after = queued_jobs_of(run, stages=("prepare", "train"), queue=queue)
    if not after:
        refuse_all_damaged(run)
        raise_together(list(export_problems(run)))
    save_config(kept, run.config)
    job = submit_stage("export", run, config, after=after, queue=queue)
    behind = f", after job {', '.join(after)}" if after else ""
    print_result(f"Run {run.name}: job {job} exports it{behind}, to {run.export}.")
    return 0
