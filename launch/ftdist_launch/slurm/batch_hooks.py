"""Hooks that a job's batch script runs on its first node, before and after srun.

    python -m ftdist_launch.slurm.batch_hooks begin|end STAGE RUN


Before the ranks start, `begin` makes sure that the code is the one that was submitted, brings the
run's record up to date, and prints the number of this attempt (nothing, where there is nothing to
do). After `srun`, `end` judges from what the ranks left behind, requeues the job or gives it its
exit code. So a job that SLURM itself ends and starts again, where `end` never ran, is judged by
the next `begin`.
"""

import dataclasses
import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from ftdist.config.compose import load_config
from ftdist.config.schema import ClusterConfig, RunConfig
from ftdist.config.schema.curate import CurateConfig
from ftdist.errors import CrashLoopError, FtdistError, RequeueError
from ftdist.plan.plan import make_plan, read_model_facts
from ftdist.rundir import RunDir
from ftdist_launch import code_snapshot
from ftdist_launch.attempts import AttemptVerdict, finish_attempt, start_attempt
from ftdist_launch.local.submit import visible_gpus
from ftdist_launch.rank_failures import (
    exit_path,
    exited_silently,
    first_failure,
    read_failures,
    read_json,
)
from ftdist_launch.restart_policy import NO_EXIT_FILE, attempts_without_progress
from ftdist_launch.run_setup import read_plan, write_plan
from ftdist_launch.slurm.client import Queue, SlurmError
from ftdist_launch.slurm.exit_diagnosis import ended_by_hand, read_ended
from ftdist_launch.slurm.sbatch import CURATION, job_label

REQUEUED_S = 60.0
"""How long a job that has been requeued waits for SLURM to end it."""


def main(arguments: Sequence[str]) -> int:
    """Run one side of the batch script.

    Returns:
        The exit code: for `begin` of what keeps the ranks from starting, for `end` of the job.
    """
    side, stage, root, *rest = arguments
    run = RunDir(Path(root))
    try:
        if side == "begin":
            return _begin(run, stage)
        return _end_training(run) if stage == "train" else _end_stage(run, stage, int(rest[0]))
    except FtdistError as error:
        sys.stderr.write(f"{error}\n")
        _tell(run, stage, code=error.exit_code, cause=error.problem)
        return error.exit_code
    except Exception as error:  # noqa: BLE001 - our own mistake: on record, and the rest in the log
        traceback.print_exc()
        words = " ".join(str(error).split())[:300]
        _tell(
            run,
            stage,
            code=FtdistError.exit_code,
            cause=f"Internal error: {type(error).__name__}: {words}",
        )
        return FtdistError.exit_code


def _begin(run: RunDir, stage: str) -> int:
    code_snapshot.verify(run)
    if run.was_cancelled(stage):
        _tell(run, stage, code=RequeueError.exit_code, cause="It was cancelled.")
        return RequeueError.exit_code
    if stage != "train":
        folder = run.attempts / stage
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.glob("rank-*.json"):
            path.unlink()
        sys.stdout.write("0\n")
        return 0
    config = load_config(run.config)
    settled = _settle_unfinished(run, config)
    if settled is not None and settled.decision.outcome != "requeue":
        # It was done, or asked to stop, or is given up, and only the script's end was missing.
        return settled.decision.exit_code
    num_stalled = attempts_without_progress(run.read_events())
    if num_stalled >= config.cluster.max_attempts_without_progress:
        raise CrashLoopError(
            f"{num_stalled} attempts in a row brought no new checkpoint.",
            remedy=f"read `ftdist status {run.name}` and the logs, then `ftdist resume`.",
        )
    if run.newest_attempt() == 0:
        config = _settle_device(run, config)
    number = start_attempt(run, config, read_plan(run), **_facts(os.environ))
    sys.stdout.write(f"{number}\n")
    return 0


def _settle_device(run: RunDir, config: RunConfig) -> RunConfig:
    """Fix what `auto` means by what this node has; the run stays with it."""
    device = config.cluster.device
    if device == "auto":
        device = "cuda" if visible_gpus() else "cpu"
        if device == "cpu" and config.cluster.gpus_per_node:
            sys.stderr.write(
                f"Note: {config.cluster.gpus_per_node} GPUs were asked for on each node, and "
                f"{socket.gethostname()} shows none: training on CPUs.\n"
            )
    cluster = dataclasses.replace(config.cluster, device=device)
    config = dataclasses.replace(config, cluster=cluster)
    before = read_plan(run)
    plan = make_plan(
        config,
        model=read_model_facts(Path(config.model.path)),
        library=before.library,
        device=device,
    )
    model = dataclasses.replace(config.model, dtype=plan.dtype)
    config = dataclasses.replace(config, model=model)
    write_plan(run, config=config, plan=plan)
    return config


def _facts(environment: Mapping[str, str]) -> dict[str, Any]:
    """What the record says of this start beside what it says of every start."""
    from submitit.slurm.slurm import SlurmJobEnvironment

    log = lead_log(environment)
    return {
        "job": job_label(environment),
        "restarts": int(environment.get("SLURM_RESTART_COUNT", "0")),
        "hosts": list(SlurmJobEnvironment().hostnames),
        "partition": environment.get("SLURM_JOB_PARTITION"),
        "account": environment.get("SLURM_JOB_ACCOUNT"),
        "qos": environment.get("SLURM_JOB_QOS"),
        "cluster": environment.get("SLURM_CLUSTER_NAME"),
        "log_bytes": log.stat().st_size if log.exists() else 0,
    }


def lead_log(environment: Mapping[str, str]) -> Path:
    """The log of rank 0, to which the batch script and `srun` write as well."""
    return Path(environment["FTDIST_LOGS"]) / f"{job_label(environment)}_0_log.out"


def _settle_unfinished(run: RunDir, config: RunConfig) -> AttemptVerdict | None:
    """Judge the newest attempt, if nobody has: SLURM ended it together with its script."""
    launched = _launched(run)
    ended = {e.get("attempt") for e in run.read_events() if e.get("event") == "attempt_finished"}
    if launched is None or launched["attempt"] in ended:
        return None
    return _settle(run, config, launched, slurm_says=_ended_by_slurm(launched.get("job") or ""))


def _ended_by_slurm(job: str) -> str | None:
    """What SLURM's accounts say of the newest start of a job that it has ended."""
    with suppress(SlurmError):
        ended = [state for state in Queue().accounting([job]).get(job, []) if state in _BY_SLURM]
        return _BY_SLURM[ended[-1]] if ended else None
    return None


_BY_SLURM = {
    "NODE_FAIL": "SLURM lost a node of the job, and its ranks with it.",
    "PREEMPTED": "The job was preempted before its ranks had saved.",
    "REQUEUED": "The job was requeued before its ranks had saved.",
    "TIMEOUT": "The job reached its time limit before its ranks had saved.",
    "OUT_OF_MEMORY": "A node of the job ran out of memory.",
}


def _end_training(run: RunDir) -> int:
    config, launched = load_config(run.config), _launched(run)
    assert launched is not None, "begin has put it on record"
    if launched["attempt"] != int(os.environ["FTDIST_ATTEMPT"]):
        sys.stderr.write(f"Attempt {launched['attempt']} goes on with the run; this one is over.\n")
        return RequeueError.exit_code
    outcome = _settle(run, config, launched).decision
    if outcome.outcome == "stopped":
        # Beyond 128 SLURM would take it for a signal.
        return RequeueError.exit_code
    if outcome.outcome != "requeue":
        return outcome.exit_code
    _requeue(run, job_label(os.environ))
    return RequeueError.exit_code


def _requeue(run: RunDir, job: str) -> None:
    """Have SLURM start this job again, and wait to be ended; where it refuses, say so."""
    queue = Queue()
    try:
        queue.requeue(job)
    except SlurmError as error:
        with suppress(SlurmError):
            state = queue.states([job]).get(job)
            if state is not None and state.state != "RUNNING":
                return  # somebody else has requeued it, which is why its ranks were stopped
        sys.stderr.write(f"{error}\nGo on with `ftdist resume {run.name}`.\n")
        run.append_event("requeue_failed", cause=error.problem)
        return
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # now it is meant for us
    time.sleep(REQUEUED_S)


def _end_stage(run: RunDir, stage: str, code: int) -> int:
    """Put on record how a job of one process ended; one that was made way for starts anew."""
    folder, stopped = run.attempts / stage, RequeueError.exit_code
    left = read_json(exit_path(folder, 0))
    code = code if left is None else int(left["exit_code"])
    failure = first_failure(read_failures(folder))
    was_cancelled = run.was_cancelled(stage) or ended_by_hand(lead_log(os.environ), 0)
    if code in (0, stopped) or failure is not None:
        cause = None if failure is None else failure.problem
    elif was_cancelled:
        code, cause = stopped, None
    else:
        log = lead_log(os.environ)
        cause = exited_silently(0, time=time.time(), out_of_memory=False, log=log).problem
    if code == stopped and not was_cancelled and _may_start_again(run, stage):
        run.append_event("stage_interrupted", stage=stage, job=job_label(os.environ))
        _requeue(run, job_label(os.environ))
        return code
    if code == stopped:
        cause = "It was cancelled." if was_cancelled else "It was stopped time and again."
    _tell(run, stage, code=code, cause=cause)
    return code


def _may_start_again(run: RunDir, stage: str) -> bool:
    """Whether a stage that was stopped has not been so too often; it keeps nothing half-done."""
    job, limit = job_label(os.environ), _cluster_of(run)
    stops = [
        event
        for event in run.read_events()
        if event.get("event") == "stage_interrupted"
        and (event.get("stage"), event.get("job")) == (stage, job)
    ]
    return len(stops) + 1 < limit.max_attempts_without_progress


def _cluster_of(run: RunDir) -> ClusterConfig:
    """Of a run, or of a curation, which is asked in a file of its own."""
    asked = run.root / CURATION
    if not asked.is_file():
        return load_config(run.config).cluster
    return TypeAdapter(CurateConfig).validate_json(asked.read_text(encoding="utf-8")).cluster


def _tell(run: RunDir, stage: str, *, code: int, cause: str | None) -> None:
    """Put on record how a stage ended."""
    job = job_label(os.environ)
    run.append_event("stage_finished", stage=stage, job=job, exit_code=code, cause=cause)


def _settle(
    run: RunDir, config: RunConfig, launched: Mapping[str, Any], *, slurm_says: str | None = None
) -> AttemptVerdict:
    number, log, log_start = launched["attempt"], lead_log(os.environ), launched.get("log_bytes", 0)
    ended = read_ended(
        run.attempt(number), ranks=launched["world_size"], log=log, log_start=log_start
    )
    was_cancelled = run.was_cancelled() or ended_by_hand(log, log_start)
    if was_cancelled and ended.failure is not None and ended.failure.cause == NO_EXIT_FILE:
        ended = dataclasses.replace(ended, failure=None)  # it ended because it was to
    if slurm_says is not None and ended.failure is not None and ended.failure.cause == NO_EXIT_FILE:
        ended = dataclasses.replace(
            ended, failure=dataclasses.replace(ended.failure, problem=slurm_says)
        )
    settled = finish_attempt(
        run,
        number,
        ended,
        stop_signal=signal.SIGINT if was_cancelled else None,
        limit=config.cluster.max_attempts_without_progress,
    )
    told = f"Attempt {number}: {settled.decision.outcome}."
    if ended.failure is not None:
        told += f" {ended.failure.problem}\nTo fix: {ended.failure.remedy}"
    sys.stderr.write(f"{told}\n")
    return settled


def _launched(run: RunDir) -> dict[str, Any] | None:
    """The record of the newest attempt's start."""
    starts = [event for event in run.read_events() if event.get("event") == "attempt_started"]
    return starts[-1] if starts else None


if __name__ == "__main__":
    # SLURM's TERM is for the ranks; the record is to be whole when the KILL comes.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(main(sys.argv[1:]))
