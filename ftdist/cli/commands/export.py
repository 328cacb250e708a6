"""`ftdist export`: write the tuned model as a Hugging Face folder."""

from collections.abc import Sequence
from dataclasses import replace

from ftdist_launch.local.supervisor import damages, exported_step, refuse_all_damaged
from ftdist_launch.setup.preflight import raise_together
from ftdist_launch.setup.resume import read_config
from ftdist_launch.setup.run_setup import read_plan
from ftdist_launch.setup.stage_preflight import export_problems
from ftdist_launch.slurm.client import Queue
from ftdist_launch.slurm.run_jobs import queued_jobs_of, refuse_second_job
from ftdist_launch.slurm.submit import submit_stage

from ftdist.cli.common import RunParser, log, print_result
from ftdist.cli.exit_messages import report_stage
from ftdist.cli.progress import supervise
from ftdist.config.saved_config import override_config, save_config
from ftdist.config.schema import RunConfig
from ftdist.rundir import RunDir

DESCRIPTION = """\
Export a run's best checkpoint (the newest if none was evaluated in training) as a Hugging Face
model folder, R/export: safetensors, tokenizer, chat template, model card. The export is reloaded
and its logits verified."""


def main(arguments: Sequence[str]) -> int:
    """Export a run's tuned model.

    Raises:
        FtdistError: there is no such run, or it has no checkpoint.
    """
    parsed = RunParser("export", description=DESCRIPTION).parse_run(arguments)
    run, before = parsed.run, read_config(parsed.run)
    config = override_config(before, parsed.overrides, allowed=("export.", "cluster."))
    # Only the export's format is saved; where this export runs does not concern the run.
    saved = replace(before, export=config.export)
    if config.cluster.executor == "slurm":
        return _submit(run, config, saved=saved)
    steps = read_plan(run).steps
    _refuse_without_checkpoint(run)
    supervisor = supervise(run, config)
    with supervisor.exclusive():
        known = len(damages(run))
        save_config(saved, run.config)
        finished = supervisor.once("export")
    for problem in damages(run)[known:]:
        log(f"Corrupt checkpoint set aside: {problem}")
    if finished.exit_code:
        return report_stage(finished, run=run, verb="export")
    step = f"step {exported_step(run)} of {steps}"
    print_result(f"The tuned model of run {run.name} ({step}) is in {run.export}.")
    return 0


def _submit(run: RunDir, config: RunConfig, *, saved: RunConfig) -> int:
    """Submit the export, after the run's training jobs if any are queued."""
    queue = Queue()
    after = queued_jobs_of(run, stages=("prepare", "train"), queue=queue)
    if not after:
        _refuse_without_checkpoint(run)
    refuse_second_job("export", run, queue=queue)
    save_config(saved, run.config)
    job = submit_stage("export", run, config, after=after, queue=queue)
    behind = f", after job {', '.join(after)}" if after else ""
    print_result(f"Run {run.name}: job {job} exports it to {run.export}{behind}.")
    return 0


def _refuse_without_checkpoint(run: RunDir) -> None:
    refuse_all_damaged(run)
    raise_together(list(export_problems(run)))
