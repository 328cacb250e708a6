"""Submit the stages of `ftdist expert` to SLURM, each to start once the one before succeeded."""

import shutil
from contextlib import suppress

from ftdist.config.saved_config import save_config
from ftdist.io.progress import LogFn
from ftdist.rundir import RunDir
from ftdist_launch.attempts import record_request
from ftdist_launch.expert.request import ExpertRequest
from ftdist_launch.expert.schedule import Schedule, write_record
from ftdist_launch.expert.stages import StageName
from ftdist_launch.local.submit import private_umask
from ftdist_launch.lock import run_lock
from ftdist_launch.setup.code_snapshot import take_snapshot
from ftdist_launch.setup.resume import replan
from ftdist_launch.setup.run_setup import make_run_dir, write_plan
from ftdist_launch.slurm.client import Queue, SlurmError
from ftdist_launch.slurm.submit import submit_jobs


def submit_expert(
    request: ExpertRequest, plan: Schedule, *, queue: Queue, log: LogFn
) -> dict[StageName, str]:
    """Submit the stages that are to do as a chain of jobs.

    Args:
        request: what to do.
        plan: what remains of it; no job of the run is in the queue.
        queue: of the cluster.
        log: for messages to the user.

    Returns:
        The job of each stage.

    Raises:
        FtdistError: SLURM rejected a job, or the disk is full; jobs submitted so far are cancelled.
    """
    run = request.run
    with private_umask(private=request.config.run.private):
        if not run.exists():
            make_run_dir(request.config, overrides=request.words)
            try:
                with run_lock(run):
                    return _submit(request, plan, queue=queue, log=log)
            except BaseException:
                shutil.rmtree(run.root, ignore_errors=True)  # no job has run in it
                raise
        with run_lock(run):
            return _submit(request, plan, queue=queue, log=log)


def _submit(
    request: ExpertRequest, plan: Schedule, *, queue: Queue, log: LogFn
) -> dict[StageName, str]:
    run, config = request.run, plan.config
    code = take_snapshot(run)
    if "train" in plan.todo:  # else how training ended stays the state of the run
        record_request(run, by="expert", code=code)
    write_record(request, plan)
    if plan.resumes and "train" in plan.todo:
        config, run_plan = replan(run, config, log=log)
        write_plan(run, config=config, plan=run_plan)
    else:
        save_config(config, run.config)
    if "compare" in plan.todo:
        forget_requests(run)
    jobs: dict[StageName, str] = {}
    after: tuple[str, ...] = ()
    try:
        for stage in plan.todo:
            after = submit_jobs(stage, config, runs=(run,), after=after)
            (jobs[stage],) = after
    except BaseException as error:
        with suppress(SlurmError):
            queue.cancel(list(jobs.values()))
        run.append_event("submit_failed", cause=str(error).partition("\n")[0])
        raise
    return jobs


def forget_requests(run: RunDir) -> None:
    """Remove the keys of an earlier `ftdist compare`: the run's config has those of this one."""
    run.request("compare").unlink(missing_ok=True)
