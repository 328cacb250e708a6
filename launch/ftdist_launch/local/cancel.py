"""Stop a run that trains on this machine, from another terminal."""

import signal

import psutil

from ftdist.errors import ConfigError
from ftdist.io.units import format_count
from ftdist.rundir import RunDir
from ftdist_launch.local.leftover_ranks import leftover_pids
from ftdist_launch.local.processes import send
from ftdist_launch.lock import read_holder
from ftdist_launch.lock_holder import Holder, boot_id, pid_namespace, start_ticks
from ftdist_launch.running_stage import running_stage


def cancel_local(run: RunDir, *, now: bool) -> list[str] | None:
    """Ask the process that works on a run here to save a checkpoint and stop.

    Ranks that outlived that process are asked directly.

    Args:
        run: to stop.
        now: whether its ranks are killed, without saving a checkpoint.

    Returns:
        What was done, in sentences; None if no process works on the run, but perhaps a job.

    Raises:
        ConfigError: it runs on another machine, or in another container.
    """
    holder = read_holder(run)
    if holder is None or holder.pid is None:
        return _cancel_leftover(run, now=now)
    process, pid = _process_of(holder, run), holder.pid
    asked_before, stage = run.was_cancelled(), running_stage(run)
    run.append_event("cancel_requested", by="cancel", now=now)
    if now:
        send(signal.SIGTERM, process)  # the second signal kills the ranks
        send(signal.SIGINT, process)
        return [f"Process {pid} was asked to kill {'its ranks' if stage is None else stage}."]
    if asked_before:
        kills = "its ranks" if stage is None else "it"
        return [f"Process {pid} is already stopping; `--now` kills {kills}."]
    send(signal.SIGTERM, process)
    if stage is not None:
        return [f"Process {pid} was asked to stop stage {stage}; what it has not finished is lost."]
    return [f"Process {pid} was asked to finish its step, save a checkpoint and exit."]


def _process_of(holder: Holder, run: RunDir) -> psutil.Process:
    """The process that holds the lock; the number alone might belong to another one.

    Raises:
        ConfigError: it is not one of this machine, or of this container.
    """
    here = (boot_id(), pid_namespace())
    ticks = None if holder.pid is None else start_ticks(holder.pid)
    if (holder.boot, holder.pid_namespace) != here or ticks is None or ticks != holder.started:
        raise ConfigError(
            f"Run {run.name} is locked by {holder}, which is not a process of this machine or "
            "container.",
            remedy=f"cancel it there: `ssh {holder.host} kill {holder.pid}` saves a checkpoint and "
            f"stops it; if it is gone, `ftdist resume {run.cli_name} resume.take_over=true`.",
        )
    return psutil.Process(holder.pid)


def _cancel_leftover(run: RunDir, *, now: bool) -> list[str] | None:
    """Stop ranks whose `ftdist` was killed; None without any, and for the ranks of a SLURM job."""
    pids = leftover_pids(run)
    if not pids or _is_of_job(run):
        return None
    run.append_event("cancel_requested", by="cancel", now=now)
    processes = [psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)]
    send(signal.SIGKILL if now else signal.SIGUSR2, *processes)
    ranks = f"{format_count(len(pids), 'rank')} {'was' if len(pids) == 1 else 'were'}"
    done = "killed" if now else "asked to finish the step, save a checkpoint and exit"
    return [f"The `ftdist` that started the run is gone; its {ranks} {done}."]


def _is_of_job(run: RunDir) -> bool:
    """Whether SLURM started the newest attempt: its nodes may be this machine, too."""
    starts = [event for event in run.read_events() if event.get("event") == "attempt_started"]
    return bool(starts) and "job" in starts[-1]
