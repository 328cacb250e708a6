"""Resume a run, on any number of ranks."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ftdist_launch.attempts import Finished, newest_step
from ftdist_launch.local.leftover_ranks import is_unsupervised
from ftdist_launch.local.supervisor import refuse_all_damaged
from ftdist_launch.lock import break_lock, is_held, run_lock
from ftdist_launch.lost_attempts import record_lost_attempt
from ftdist_launch.run_config import read_config
from ftdist_launch.setup.resume import replan
from ftdist_launch.setup.run_setup import read_plan, write_plan
from ftdist_launch.slurm.client import Queue
from ftdist_launch.slurm.run_jobs import refuse_second_job
from ftdist_launch.slurm.submit import submit_again

from ftdist.api.jobs import Supervise
from ftdist.checkpoint.vanished import accept_restart
from ftdist.config.resume_keys import MAY_CHANGE, MAY_MOVE
from ftdist.config.saved_config import override_config
from ftdist.config.schema import RunConfig
from ftdist.io.progress import LogFn
from ftdist.io.units import format_count
from ftdist.rundir import RunDir


def resume_run(
    run: RunDir, overrides: Sequence[str], *, supervise: Supervise, log: LogFn
) -> Finished | list[str] | None:
    """Resume a run from its newest valid checkpoint.

    Args:
        run: the run.
        overrides: keys of `MAY_CHANGE`, `MAY_MOVE` and `resume`.
        supervise: shows its progress.
        log: for messages to the user.

    Returns:
        How it ended here, or the numbers of its jobs, or None if it is complete already.

    Raises:
        FtdistError: it cannot be resumed like this.
    """
    before = read_config(run)
    config = override_config(before, overrides, allowed=(*MAY_CHANGE, *MAY_MOVE, "resume."))
    config = replace(
        config,
        model=replace(config.model, path=_moved(config.model.path, before.model.path)),
        library=replace(config.library, path=_moved(config.library.path, before.library.path)),
    )
    if config.resume.take_over:
        break_lock(run, log=log)
    refuse_all_damaged(run)
    on_cluster = config.cluster.executor == "slurm"
    if run.plan.is_file() or not on_cluster:
        steps, newest = read_plan(run).steps, newest_step(run)
        if newest is not None and newest >= steps:
            if config.resume.accept:
                _accept(run, config, log=log)
            _record_lost(run)
            return None
    if on_cluster:
        return _submit(run, config, overrides, log=log)
    accepted = config.resume
    config, plan = replan(run, config, log=log)
    supervisor = supervise(run, config, steps=steps)
    with supervisor.exclusive():
        _remove_stop_file(run, log=log)
        _record_overrides(run, overrides)
        write_plan(run, config=config, plan=plan)
        if accepted.restart:
            _restart(run, log=log)
        elif newest is None:
            log(f"Run {run.name} has no checkpoint yet: it starts from the beginning.")
        return supervisor.train(plan, requested_by="resume")


def _moved(path: str, before: str) -> str:
    """Where files are now; jobs run in other folders, and need the absolute path."""
    local = Path(path).expanduser()
    return str(local.absolute()) if path != before and local.exists() else path


def _submit(run: RunDir, config: RunConfig, overrides: Sequence[str], *, log: LogFn) -> list[str]:
    """Submit the run again."""
    queue, plan = Queue(), None
    with run_lock(run, log=log):
        refuse_second_job("train", run, queue=queue)
        if (lost := record_lost_attempt(run)) is not None:
            log(lost)
        accepted = config.resume
        if run.plan.is_file():
            config, plan = replan(run, config, log=log)
        if accepted.restart:
            _restart(run, log=log)
        _remove_stop_file(run, log=log)
        _record_overrides(run, overrides)
        return submit_again(run, config, plan, queue=queue)


def _record_lost(run: RunDir) -> None:
    """Record the end of a complete run whose `ftdist` was killed."""
    if not is_held(run) and not is_unsupervised(run):
        with run_lock(run):
            record_lost_attempt(run)


def _remove_stop_file(run: RunDir, *, log: LogFn) -> None:
    """Whoever resumes a run no longer wants it stopped; call it with the lock of the run."""
    if run.stop.exists():
        run.stop.unlink(missing_ok=True)
        log(f"Removed {run.stop}, which had stopped the run.")


def _accept(run: RunDir, config: RunConfig, *, log: LogFn) -> None:
    """Take what is there in place of what a complete run began with: to export or compare it."""
    with run_lock(run, log=log):
        write_plan(run, config=config, plan=read_plan(run))


def _restart(run: RunDir, *, log: LogFn) -> None:
    vanished = accept_restart(run)
    where = "the beginning" if vanished.found is None else f"step {vanished.found}"
    lost = format_count(vanished.steps_lost, "step")
    log(f"Run {run.name} resumes from {where}: {lost} lost. Its metrics so far stay on record.")


def _record_overrides(run: RunDir, overrides: Sequence[str]) -> None:
    if overrides:
        with run.overrides.open("a", encoding="utf-8") as file:
            file.write("".join(f"{line}\n" for line in ["# resumed with", *overrides]))
