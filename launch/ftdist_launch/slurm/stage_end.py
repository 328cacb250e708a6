"""The end of a single-process job: recorded, and requeued if it was preempted."""

import sys
import time
from contextlib import suppress

from pydantic import TypeAdapter

from ftdist.config.saved_config import load_config
from ftdist.config.schema import ClusterConfig
from ftdist.config.schema.curate import CurateConfig
from ftdist.errors import FtdistError, RequeueError
from ftdist.rundir import RunDir
from ftdist_launch.attempt_end import stop_request
from ftdist_launch.logs.timestamps import now
from ftdist_launch.rank_failures import (
    RankFailure,
    exited_silently,
    first_failure,
    read_failures,
)
from ftdist_launch.rank_records import read_exit_codes
from ftdist_launch.slurm.exit_diagnosis import ended_by_hand, rank0_log
from ftdist_launch.slurm.requeue import requeue, wait_for_slurm
from ftdist_launch.slurm.sbatch import CURATION, job_label
from ftdist_launch.stage_records import record_stage_end

STOPPED_TOO_OFTEN = RequeueError("It was stopped too often.", remedy="run the command again.")


def end_stage(run: RunDir, stage: str, code: int) -> int:
    """Record how a single-process job ended; requeue it if it was preempted."""
    folder, stopped, log = run.attempts / stage, RequeueError.exit_code, rank0_log()
    (recorded,) = read_exit_codes(folder, 1)
    code = code if recorded is None else recorded
    failure = first_failure(read_failures(folder))
    request = stop_request(run, stage)
    if request is None and ended_by_hand(log, 0):
        request = "Its job was cancelled with `scancel`."
    if failure is None and request is not None and code != 0:
        record_stop(run, stage, request)
        return 0
    if failure is None and code not in (0, stopped):
        failure = exited_silently(0, time=time.time(), log=log)
    if failure is not None and failure.passing and request is None:
        code = stopped  # as if it had been preempted: the file system may answer again
    if code == stopped and _may_restart(run, stage):
        run.append_event("stage_interrupted", stage=stage, job=job_label())
        if requeue(run, was_cancelled=lambda _: False) == "requeued":
            wait_for_slurm()
        return code
    if code == stopped and failure is None:
        record_stage_end(
            run,
            stage,
            outcome="stopped",
            exit_code=code,
            cause=STOPPED_TOO_OFTEN.problem,
            remedy=STOPPED_TOO_OFTEN.remedy,
            job=job_label(),
        )
    else:
        record_failure(run, stage, code, failure)
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


def record_stop(run: RunDir, stage: str, request: str) -> None:
    """Record that a stage does not run, or not to its end, because a person stopped the run."""
    log_line(f"Stage {stage} does not go on. {request}")
    record_stage_end(
        run, stage, outcome="stopped", exit_code=0, cause=request, remedy=None, job=job_label()
    )


def record_failure(
    run: RunDir, stage: str, code: int, failure: RankFailure | FtdistError | None
) -> None:
    """Record that a stage failed; without a failure, that it is done."""
    record_stage_end(
        run,
        stage,
        outcome="failed" if code else "done",
        exit_code=code,
        cause=None if failure is None else failure.problem,
        remedy=None if failure is None else failure.remedy,
        job=job_label(),
    )


def log_line(line: str) -> None:
    """Write a line with its time into the log of the job."""
    with suppress(OSError):  # a full disk must not keep the hook from its decision
        sys.stderr.write(f"{now()} {line}\n")
