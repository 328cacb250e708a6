"""Hooks that the batch script of a job runs on its first node, before and after srun.

    python -m ftdist_launch.slurm.batch_hooks begin|end STAGE RUN

`begin` verifies the code snapshot, records the attempt, and prints its number (nothing if there is
nothing to do). `end` judges how the ranks ended, and requeues the job or returns its exit code. If
SLURM ends and restarts a job so that `end` never runs, the next `begin` judges that attempt.
"""

import dataclasses
import os
import signal
import sys
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ftdist.checkpoint.vanished import LATE_S, refuse_vanished
from ftdist.config.saved_config import load_config
from ftdist.config.schema import RunConfig
from ftdist.errors import ConfigError, CrashLoopError, FtdistError
from ftdist.io.filesystem import storage_error
from ftdist.rundir import RunDir
from ftdist_launch.after_attempt import after_attempt
from ftdist_launch.attempt_end import describe_loss, last_record_time, stop_request
from ftdist_launch.attempts import (
    Finished,
    finish_attempt,
    start_attempt,
)
from ftdist_launch.local.submit import ATTEMPT
from ftdist_launch.lock import RunLockedError, claim_for_job, release_claim
from ftdist_launch.rank_failures import (
    read_failures,
)
from ftdist_launch.restart_policy import NO_EXIT_FILE, attempts_without_progress
from ftdist_launch.run_state import recorded_end
from ftdist_launch.setup.code_snapshot import verify_snapshot
from ftdist_launch.setup.run_setup import read_plan
from ftdist_launch.slurm.excluded_nodes import NO_NODE_LEFT, can_move, exclude_nodes, lost_node
from ftdist_launch.slurm.exit_diagnosis import ended_by_hand, rank0_log, read_job_exit
from ftdist_launch.slurm.first_attempt import resolve_device
from ftdist_launch.slurm.job_causes import NODE_LOST, slurm_cause
from ftdist_launch.slurm.requeue import requeue, wait_for_slurm
from ftdist_launch.slurm.sbatch import job_label
from ftdist_launch.slurm.stage_end import end_stage, log_line, record_failure, record_stop
from ftdist_launch.stage_records import start_stage


def main(arguments: Sequence[str]) -> int:
    """Run one hook.

    Returns:
        The exit code: of `begin` not 0 if the ranks must not start, of `end` that of the job.
    """
    hook, stage, root, *rest = arguments
    run = RunDir(Path(root))
    try:
        if hook == "begin":
            return _begin(run, stage)
        return _end_training(run) if stage == "train" else end_stage(run, stage, int(rest[0]))
    except RunLockedError as error:
        # The run goes on under another process or job: this is no end of it.
        _log(str(error))
        run.record_event("start_refused", stage=stage, job=job_label(), cause=error.problem)
        return error.exit_code
    except FtdistError as error:
        failure = error
    except OSError as error:
        failure = storage_error(error, action="read or write", path=run.root)
    except Exception as error:  # noqa: BLE001 - a bug: recorded, with its traceback in the log
        traceback.print_exc()
        message = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        failure = FtdistError(f"Internal error: {message}", remedy=f"read {rank0_log()}.")
    _log(str(failure))
    record_failure(run, stage, failure.exit_code, failure)
    return failure.exit_code


def _log(text: str) -> None:
    """Write to the job's log; a full disk must not keep the hook from its decision."""
    with suppress(OSError):
        sys.stderr.write(f"{text}\n")


def _begin(run: RunDir, stage: str) -> int:
    verify_snapshot(run)
    if (request := stop_request(run, stage)) is not None:
        # A stage that waited for one that was stopped: SLURM starts it, as that one ended with 0.
        record_stop(run, stage, request)
        return 0
    if stage != "train":
        start_stage(run, stage)
        run.append_event("stage_started", stage=stage, job=job_label())
        sys.stdout.write("0\n")
        return 0
    claim_for_job(run, job_label(), log=log_line)
    code: int | None = None
    try:
        code = _begin_attempt(run)
    finally:
        if code != 0:
            release_claim(run, job_label())
    return code or 0


def _begin_attempt(run: RunDir) -> int | None:
    """Start the next attempt.

    Returns:
        None: the run has ended with 0. Not 0: with this exit code.
    """
    config = load_config(run.config)
    finished = _finish_interrupted_attempt(run, config)
    if finished is not None and finished.outcome != "requeue":
        after_attempt(run, config, finished)
        # The run was done, stopped or given up, but SLURM ended the script before `end` ran.
        return finished.exit_code or None
    events = list(run.read_events())
    if recorded_end(events) == "crash_loop":
        raise CrashLoopError(
            f"No new checkpoint after {attempts_without_progress(events)} consecutive attempts.",
            remedy=f"see `ftdist status {run.name}` and the logs, then run `ftdist resume`.",
        )
    refuse_vanished(run, patience_s=LATE_S)
    if run.newest_attempt() == 0:
        config = resolve_device(run, config)
    number = start_attempt(run, config, read_plan(run), **_job_fields())
    # All attempts of a job append to the same log: this line separates them.
    log_line(f"Attempt {number} starts.")
    sys.stdout.write(f"{number}\n")
    return 0


def _job_fields() -> dict[str, Any]:
    """Fields of the event of an attempt that only jobs have."""
    from submitit.slurm.slurm import SlurmJobEnvironment

    return {
        "job": job_label(),
        "restarts": int(os.environ.get("SLURM_RESTART_COUNT", "0")),
        "hosts": list(SlurmJobEnvironment().hostnames),
        "partition": os.environ.get("SLURM_JOB_PARTITION"),
        "account": os.environ.get("SLURM_JOB_ACCOUNT"),
        "qos": os.environ.get("SLURM_JOB_QOS"),
        "cluster": os.environ.get("SLURM_CLUSTER_NAME"),
        "log_bytes": rank0_log().stat().st_size if rank0_log().exists() else 0,
    }


def _finish_interrupted_attempt(run: RunDir, config: RunConfig) -> Finished | None:
    """Judge the newest attempt if SLURM ended it together with its batch script."""
    started = _newest_start(run)
    ended = {e.get("attempt") for e in run.read_events() if e.get("event") == "attempt_finished"}
    if started is None or started["attempt"] in ended:
        return None
    cause = slurm_cause(started["job"]) if "job" in started else None
    last = last_record_time(run, started["attempt"])
    return _finish(run, config, started, cause_by_slurm=cause, ended=last)


def _end_training(run: RunDir) -> int:
    config, started = load_config(run.config), _newest_start(run)
    assert started is not None, "begin has recorded it"
    number = int(os.environ[ATTEMPT])
    if started["attempt"] != number:
        _log(f"Attempt {started['attempt']} has replaced attempt {number}.")
        return ConfigError.exit_code
    finished = _finish(run, config, started)
    answer = None
    if finished.outcome == "requeue":
        log_start = started.get("log_bytes", 0)
        answer = requeue(run, was_cancelled=lambda run: _was_cancelled(run, log_start))
    if answer == "requeued":
        exclude_nodes(run, config.cluster)
    elif answer != "requeued before":
        release_claim(run, job_label())
    after_attempt(run, config, finished)
    if answer == "requeued":
        wait_for_slurm()
    return 0 if answer == "cancelled" else finished.exit_code


def _was_cancelled(run: RunDir, log_start: int) -> bool:
    """Whether a person stopped the training; `scancel` is recorded, as it leaves a line only."""
    if not run.was_cancelled() and ended_by_hand(rank0_log(), log_start):
        run.record_event("cancel_requested", by="scancel", now=True)
    return run.was_cancelled()


def _finish(
    run: RunDir,
    config: RunConfig,
    started: Mapping[str, Any],
    *,
    cause_by_slurm: str | None = None,
    ended: float | None = None,
) -> Finished:
    """Judge an attempt and record its end, which is now unless `ended` says when."""
    number, log, log_start = started["attempt"], rank0_log(), started.get("log_bytes", 0)
    job_exit = read_job_exit(
        run.attempt(number), ranks=started["world_size"], log=log, log_start=log_start
    )
    was_cancelled = _was_cancelled(run, log_start)
    failure = job_exit.failure
    if failure is not None and failure.cause == NO_EXIT_FILE:
        if was_cancelled:
            failure = None  # it was killed on request
        elif cause_by_slurm is not None:
            host = lost_node(started.get("hosts", ())) if cause_by_slurm == NODE_LOST else None
            failure = dataclasses.replace(failure, problem=cause_by_slurm, host=host)
    may_move = can_move(run, config.cluster, failure, others=read_failures(run.attempt(number)))
    if failure is not None and not may_move:
        failure = dataclasses.replace(failure, remedy=NO_NODE_LEFT)
    job_exit = dataclasses.replace(job_exit, failure=failure)
    finished = finish_attempt(
        run,
        number,
        job_exit,
        stop_signal=None,
        limit=config.cluster.max_attempts_without_progress,
        ended=ended,
        can_move=may_move,
    )
    lost = describe_loss(finished.steps_lost)
    _log(f"Attempt {number}: {finished.outcome}. {finished.cause} {lost.capitalize()}.")
    if failure is not None:
        _log(f"{failure.problem}\nTo fix: {failure.remedy}")
    return finished


def _newest_start(run: RunDir) -> dict[str, Any] | None:
    """The event of the newest attempt's start."""
    starts = [event for event in run.read_events() if event.get("event") == "attempt_started"]
    return starts[-1] if starts else None


if __name__ == "__main__":
    # SLURM's SIGTERM is for the ranks; this process has to finish its record before SIGKILL.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(main(sys.argv[1:]))
