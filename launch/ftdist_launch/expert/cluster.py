"""Submit the stages of `ftdist expert` to SLURM, each to start once the one before succeeded."""

from ftdist.config.saved_config import save_config
from ftdist.io.progress import LogFn
from ftdist.rundir import RunDir
from ftdist_launch.attempts import record_request
from ftdist_launch.expert.request import ExpertRequest
from ftdist_launch.expert.schedule import Schedule, schedule, write_record
from ftdist_launch.expert.stages import StageName
from ftdist_launch.local.submit import private_umask
from ftdist_launch.lock import run_lock
from ftdist_launch.setup.code_snapshot import take_snapshot
from ftdist_launch.setup.resume import replan
from ftdist_launch.setup.run_setup import make_run_dir, write_plan
from ftdist_launch.slurm.client import Queue
from ftdist_launch.slurm.rollback import roll_back_on_failure
from ftdist_launch.slurm.run_jobs import refuse_queued
from ftdist_launch.slurm.submit import submit_jobs


def submit_expert(request: ExpertRequest, *, queue: Queue, log: LogFn) -> dict[StageName, str]:
    """Submit the stages that are to do as a chain of jobs.

    Args:
        request: what to do.
        queue: of the cluster.
        log: for messages to the user.

    Returns:
        The job of each stage; empty if nothing is left to do.

    Raises:
        ConfigError: another process works on the run, or jobs of it are in the queue.
        FtdistError: SLURM rejected a job, or the disk is full; jobs submitted so far are cancelled.
    """
    run = request.run
    with private_umask(private=request.config.run.private):
        is_new = not run.exists()
        if is_new:
            make_run_dir(request.config, overrides=request.words)
        with run_lock(run, log=log):
            # Another `ftdist expert` may have held the lock until now.
            refuse_queued(run)
            plan = schedule(request)
            if not plan.todo:
                return {}
            with roll_back_on_failure([run], new=is_new, stage=plan.todo[0], queue=queue):
                return _submit(request, plan, log=log)


def _submit(request: ExpertRequest, plan: Schedule, *, log: LogFn) -> dict[StageName, str]:
    run, config = request.run, plan.config
    code = take_snapshot(run)
    if "train" in plan.todo:  # else how training ended stays the state of the run
        record_request(run, by="expert", code=code)
    write_record(request, plan)
    forget_plan(run, plan)
    if plan.resumes and "train" in plan.todo:
        config, run_plan = replan(run, config, log=log)
        write_plan(run, config=config, plan=run_plan)
    else:
        save_config(config, run.config)
    if "compare" in plan.todo:
        forget_requests(run)
    jobs: dict[StageName, str] = {}
    after: tuple[str, ...] = ()
    for stage in plan.todo:
        after = submit_jobs(stage, config, runs=(run,), after=after)
        (jobs[stage],) = after
    return jobs


def forget_plan(run: RunDir, plan: Schedule) -> None:
    """Remove the plan of a run that is to be prepared again: its config has no numbers yet."""
    if "prepare" in plan.todo:
        run.plan.unlink(missing_ok=True)


def forget_requests(run: RunDir) -> None:
    """Remove the keys of an earlier `ftdist compare`: the run's config has those of this one."""
    run.request("compare").unlink(missing_ok=True)
