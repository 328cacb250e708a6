"""Export a run's tuned model as a Hugging Face folder."""

from collections.abc import Sequence
from dataclasses import replace

from ftdist_launch.attempts import Finished
from ftdist_launch.local.supervisor import damages, refuse_all_damaged, unchecked_export
from ftdist_launch.run_config import read_config
from ftdist_launch.setup.preflight import raise_together
from ftdist_launch.setup.run_setup import read_plan
from ftdist_launch.setup.stage_preflight import export_problems
from ftdist_launch.slurm.client import Queue
from ftdist_launch.slurm.run_jobs import queued_jobs_of, refuse_second_job
from ftdist_launch.slurm.submit import submit_stage

from ftdist.api.jobs import Submitted, Supervise
from ftdist.config.saved_config import override_config, save_config
from ftdist.config.schema import RunConfig
from ftdist.io.progress import LogFn
from ftdist.rundir import RunDir


def export_run(
    run: RunDir, overrides: Sequence[str], *, supervise: Supervise, log: LogFn
) -> Finished | Submitted:
    """Export the tuned model of a run, here or as a job.

    Args:
        run: the run.
        overrides: keys of `export` and `cluster`.
        supervise: shows progress.
        log: for messages to the user.

    Raises:
        FtdistError: the run has no checkpoint, or its job was rejected.
    """
    before = read_config(run)
    config = override_config(before, overrides, allowed=("export.", "cluster."))
    # Only the export's format is saved; where this export runs does not concern the run.
    saved = replace(before, export=config.export)
    if config.cluster.executor == "slurm":
        return _submit(run, config, saved=saved)
    read_plan(run)  # a damaged one is reported before a model is loaded
    _refuse_without_checkpoint(run, config)
    supervisor = supervise(run, config)
    with supervisor.exclusive():
        known = len(damages(run))
        save_config(saved, run.config)
        finished = supervisor.once("export")
    for problem in damages(run)[known:]:
        log(f"Corrupt checkpoint set aside: {problem}")
    if finished.outcome == "done" and (unchecked := unchecked_export(run)):
        log(f"Warning: {unchecked}")
    return finished


def _submit(run: RunDir, config: RunConfig, *, saved: RunConfig) -> Submitted:
    """Submit the export, after the run's training jobs if any are queued."""
    queue = Queue()
    after = queued_jobs_of(run, stages=("prepare", "train"), queue=queue)
    if not after:
        _refuse_without_checkpoint(run, config)
    refuse_second_job("export", run, queue=queue)
    save_config(saved, run.config)
    job = submit_stage("export", run, config, after=after, queue=queue)
    return Submitted(run=run, job=job, after=tuple(after))


def _refuse_without_checkpoint(run: RunDir, config: RunConfig) -> None:
    refuse_all_damaged(run)
    raise_together(list(export_problems(run, config)))
