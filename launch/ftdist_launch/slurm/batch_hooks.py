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
import time
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from ftdist.config.saved_config import load_config
from ftdist.config.schema import ClusterConfig, RunConfig
from ftdist.config.schema.curate import CurateConfig
from ftdist.errors import CrashLoopError, FtdistError, RequeueError
from ftdist.io.filesystem import storage_error
from ftdist.rundir import RunDir
from ftdist_launch.after_attempt import after_attempt
from ftdist_launch.attempts import (
    Finished,
    finish_attempt,
    last_record_time,
    start_attempt,
    start_stage,
)
from ftdist_launch.local.submit import ATTEMPT
from ftdist_launch.logs.timestamps import now
from ftdist_launch.rank_failures import (
    RankFailure,
    exited_silently,
    first_failure,
    read_failures,
)
from ftdist_launch.rank_records import read_exit_codes
from ftdist_launch.restart_policy import NO_EXIT_FILE, attempts_without_progress
from ftdist_launch.setup.code_snapshot import verify_snapshot
from ftdist_launch.setup.run_setup import read_plan
from ftdist_launch.slurm.client import Queue, SlurmError
from ftdist_launch.slurm.excluded_nodes import NO_NODE_LEFT, can_move, exclude_nodes
from ftdist_launch.slurm.exit_diagnosis import ended_by_hand, read_job_exit
from ftdist_launch.slurm.first_attempt import resolve_device
from ftdist_launch.slurm.requeue import requeue, wait_for_slurm
from ftdist_launch.slurm.sbatch import CURATION, job_label

CANCELLED = RequeueError("It was cancelled.", remedy="run the command again.")
STOPPED_TOO_OFTEN = RequeueError("It was stopped too often.", remedy="run the command again.")


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
        return _end_training(run) if stage == "train" else _end_stage(run, stage, int(rest[0]))
    except FtdistError as error:
        failure = error
    except OSError as error:
        failure = storage_error(error, action="read or write", path=run.root)
    except Exception as error:  # noqa: BLE001 - a bug: recorded, with its traceback in the log
        traceback.print_exc()
        message = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        failure = FtdistError(f"Internal error: {message}", remedy=f"read {rank0_log()}.")
    _log(str(failure))
    _record_stage_end(run, stage, failure.exit_code, failure)
    return failure.exit_code


def _log(text: str) -> None:
    """Write to the job's log; a full disk must not keep the hook from its decision."""
    with suppress(OSError):
        sys.stderr.write(f"{text}\n")


def _begin(run: RunDir, stage: str) -> int:
    verify_snapshot(run)
    if run.was_cancelled(stage):
        _record_stage_end(run, stage, RequeueError.exit_code, CANCELLED)
        return RequeueError.exit_code
    if stage != "train":
        start_stage(run, stage)
        run.append_event("stage_started", stage=stage, job=job_label())
        sys.stdout.write("0\n")
        return 0
    config = load_config(run.config)
    finished = _finish_interrupted_attempt(run, config)
    if finished is not None and finished.outcome != "requeue":
        after_attempt(run, config, finished)
        # The run was done, stopped or given up, but SLURM ended the script before `end` ran.
        return finished.exit_code
    num_stalled = attempts_without_progress(run.read_events())
    if num_stalled >= config.cluster.max_attempts_without_progress:
        raise CrashLoopError(
            f"No new checkpoint after {num_stalled} consecutive attempts.",
            remedy=f"see `ftdist status {run.name}` and the logs, then run `ftdist resume`.",
        )
    if run.newest_attempt() == 0:
        config = resolve_device(run, config)
    number = start_attempt(run, config, read_plan(run), **_job_fields())
    # All attempts of a job append to the same log: this line separates them.
    _log(f"{now()} Attempt {number} starts.")
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


def rank0_log() -> Path:
    """The log of rank 0, to which the batch script and `srun` write too."""
    return Path(os.environ["FTDIST_LOGS"]) / f"{job_label()}_0_log.out"


def _finish_interrupted_attempt(run: RunDir, config: RunConfig) -> Finished | None:
    """Judge the newest attempt if SLURM ended it together with its batch script."""
    started = _newest_start(run)
    ended = {e.get("attempt") for e in run.read_events() if e.get("event") == "attempt_finished"}
    if started is None or started["attempt"] in ended:
        return None
    slurm_cause = _slurm_cause(started["job"]) if "job" in started else None
    last = last_record_time(run, started["attempt"])
    return _finish(run, config, started, slurm_cause=slurm_cause, ended=last)


def _slurm_cause(job: str) -> str | None:
    """Why SLURM ended the newest start of a job, from its accounting."""
    states: list[str] = []
    with suppress(SlurmError):
        states = Queue().accounting([job]).get(job, [])
    causes = [_SLURM_CAUSES[state] for state in states if state in _SLURM_CAUSES]
    return causes[-1] if causes else None


_SLURM_CAUSES = {
    "NODE_FAIL": "SLURM lost a node of the job and the ranks on it.",
    "PREEMPTED": "The job was preempted before its ranks had saved.",
    "REQUEUED": "The job was requeued before its ranks had saved.",
    "TIMEOUT": "The job reached its time limit before its ranks had saved.",
    "OUT_OF_MEMORY": "A node of the job ran out of memory.",
}


def _end_training(run: RunDir) -> int:
    config, started = load_config(run.config), _newest_start(run)
    assert started is not None, "begin has recorded it"
    if started["attempt"] != int(os.environ[ATTEMPT]):
        _log(f"Attempt {started['attempt']} has replaced this one.")
        return RequeueError.exit_code
    finished = _finish(run, config, started)
    requeued = finished.outcome == "requeue" and requeue(run)
    if requeued:
        exclude_nodes(run, config.cluster)
    after_attempt(run, config, finished)
    if requeued:
        wait_for_slurm()
    if finished.outcome in ("requeue", "stopped"):  # SLURM reads codes above 128 as signals
        return RequeueError.exit_code
    return finished.exit_code


def _end_stage(run: RunDir, stage: str, code: int) -> int:
    """Record how a single-process job ended; requeue it if it was preempted."""
    folder, stopped, log = run.attempts / stage, RequeueError.exit_code, rank0_log()
    (recorded,) = read_exit_codes(folder, 1)
    code = code if recorded is None else recorded
    failure = first_failure(read_failures(folder))
    was_cancelled = run.was_cancelled(stage) or ended_by_hand(log, 0)
    if failure is None and code not in (0, stopped):
        if was_cancelled:
            code = stopped
        else:
            failure = exited_silently(0, time=time.time(), log=log)
    if failure is not None and failure.passing and not was_cancelled:
        code = stopped  # as if it had been preempted: the file system may answer again
    if code == stopped and not was_cancelled and _may_restart(run, stage):
        run.append_event("stage_interrupted", stage=stage, job=job_label())
        if requeue(run):
            wait_for_slurm()
        return code
    if code == stopped and failure is None:
        _record_stage_end(run, stage, code, CANCELLED if was_cancelled else STOPPED_TOO_OFTEN)
    else:
        _record_stage_end(run, stage, code, failure)
    return code


def _may_restart(run: RunDir, stage: str) -> bool:
    """Whether a stage that was stopped may start again: it was not stopped too often yet."""
    own = {"event": "stage_interrupted", "stage": stage, "job": job_label()}
    num_stops = sum(own.items() <= event.items() for event in run.read_events())
    return num_stops + 1 < _cluster_of(run).max_attempts_without_progress


def _cluster_of(run: RunDir) -> ClusterConfig:
    """Cluster settings of a run, or of a curation, which has a file of its own."""
    curation = run.root / CURATION
    if not curation.is_file():
        return load_config(run.config).cluster
    return TypeAdapter(CurateConfig).validate_json(curation.read_text(encoding="utf-8")).cluster


def _record_stage_end(
    run: RunDir, stage: str, code: int, failure: RankFailure | FtdistError | None
) -> None:
    run.record_event(
        "stage_finished",
        stage=stage,
        job=job_label(),
        exit_code=code,
        cause=None if failure is None else failure.problem,
        remedy=None if failure is None else failure.remedy,
    )


def _finish(
    run: RunDir,
    config: RunConfig,
    started: Mapping[str, Any],
    *,
    slurm_cause: str | None = None,
    ended: float | None = None,
) -> Finished:
    """Judge an attempt and record its end, which is now unless `ended` says when."""
    number, log, log_start = started["attempt"], rank0_log(), started.get("log_bytes", 0)
    job_exit = read_job_exit(
        run.attempt(number), ranks=started["world_size"], log=log, log_start=log_start
    )
    was_cancelled = run.was_cancelled() or ended_by_hand(log, log_start)
    failure = job_exit.failure
    if failure is not None and failure.cause == NO_EXIT_FILE:
        if was_cancelled:
            failure = None  # it was killed on request
        elif slurm_cause is not None:
            failure = dataclasses.replace(failure, problem=slurm_cause)
    may_move = can_move(run, config.cluster, failure, others=read_failures(run.attempt(number)))
    if failure is not None and not may_move:
        failure = dataclasses.replace(failure, remedy=NO_NODE_LEFT)
    job_exit = dataclasses.replace(job_exit, failure=failure)
    finished = finish_attempt(
        run,
        number,
        job_exit,
        stop_signal=signal.SIGINT if was_cancelled else None,
        limit=config.cluster.max_attempts_without_progress,
        ended=ended,
        can_move=may_move,
    )
    _log(f"Attempt {number}: {finished.outcome}.")
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
