"""Attempts of a run: record the start, judge and record the end."""

import shutil
import socket
import sys
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ftdist import __version__
from ftdist.checkpoint.store import CheckpointStore
from ftdist.config.saved_config import dump_config
from ftdist.config.schema import RunConfig
from ftdist.errors import ConfigError, RequeueError, StorageError
from ftdist.io.filesystem import storage_errors
from ftdist.io.jsonl import write_whole
from ftdist.io.reserve import Reserve
from ftdist.plan.plan import Plan
from ftdist.rundir import RunDir
from ftdist_launch.attempt_end import (
    attempt_cause,
    last_record_time,
    own_failure,
    steps_lost,
    stop_request,
)
from ftdist_launch.local.submit import CHECKOUT
from ftdist_launch.rank_failures import RankFailure
from ftdist_launch.rank_reserve import release_reserves
from ftdist_launch.restart_policy import (
    AttemptEnd,
    Outcome,
    attempts_without_progress,
    decide,
)
from ftdist_launch.setup.code_snapshot import git_state

OK_CODES = (0, RequeueError.exit_code)
"""Exit codes of a rank that did not fail."""


@dataclass(frozen=True, kw_only=True)
class JobExit:
    """How the ranks of a job ended."""

    exit_codes: tuple[int | None, ...]
    failure: RankFailure | None
    """The first one."""

    out_of_memory: bool

    def as_attempt(
        self,
        *,
        stop_signal: int | None,
        progressed: bool,
        on_request: bool = False,
        superseded: bool = False,
        can_move: bool = False,
    ) -> AttemptEnd:
        """The input of `ftdist_launch.restart_policy.decide`."""
        codes = (code for code in self.exit_codes if code is not None and code not in OK_CODES)
        return AttemptEnd(
            exit_codes=self.exit_codes,
            cause=next(codes, None) if self.failure is None else self.failure.cause,
            stop_signal=stop_signal,
            out_of_memory=self.out_of_memory,
            on_request=on_request,
            superseded=superseded,
            progressed=progressed,
            can_move=can_move,
        )


@dataclass(frozen=True, kw_only=True)
class Finished:
    """How an attempt or a stage ended, and what follows."""

    outcome: Outcome
    exit_code: int
    """Of `ftdist`, unless there is another attempt."""

    failure: RankFailure | None
    step: int | None
    """Of the newest checkpoint."""

    num_stalled_attempts: int = 0
    """Consecutive attempts without a new checkpoint, including this one."""

    cause: str | None = None
    """Why it ended, in one line."""

    steps_lost: int = 0
    """Steps after the newest checkpoint, which the next attempt computes again."""


def record_request(run: RunDir, *, by: str, **fields: Any) -> None:
    """Record that a user asked for the run, and with which code.

    Args:
        run: the run.
        by: the command.
        **fields: further fields of the event.
    """
    run.append_event("run_requested", by=by, version=__version__, git=git_state(CHECKOUT), **fields)


def start_attempt(run: RunDir, config: RunConfig, plan: Plan, **fields: Any) -> int:
    """Record the start of a new attempt.

    Args:
        run: of the attempt.
        config: saved with it.
        plan: of the run.
        **fields: further fields of the event.

    Returns:
        The number of the attempt, from 1.

    Raises:
        ConfigError: another process started an attempt at the same instant.
    """
    number = run.newest_attempt() + 1
    folder = run.attempt(number)
    ended = {e["attempt"] for e in run.read_events() if e.get("event") == "attempt_finished"}
    if number > 1 and number - 1 not in ended:
        fields["previous_ended"] = last_record_time(run, number - 1)
    try:
        with storage_errors("start another attempt in", folder):
            run.attempts.mkdir(exist_ok=True)
            try:
                folder.mkdir()
            except FileExistsError:
                raise _started_elsewhere(run, number) from None
            write_whole(folder / "config.yaml", dump_config(config))
            run.append_event(
                "attempt_started",
                attempt=number,
                world_size=plan.world_size,
                steps=plan.steps,
                host=socket.gethostname(),
                checkpoint=newest_step(run),
                **fields,
            )
    except StorageError:
        shutil.rmtree(folder, ignore_errors=True)  # it has not begun
        raise
    _reserve(run, number).make()
    return number


def _started_elsewhere(run: RunDir, number: int) -> ConfigError:
    return ConfigError(
        f"Attempt {number} of run {run.name} was just started by another process.",
        remedy=f"see `ftdist status {run.cli_name}`; stop the run with `ftdist cancel`.",
    )


def _reserve(run: RunDir, number: int) -> Reserve:
    """The file with room for the event of an attempt's end."""
    return Reserve(run.attempt(number) / "end.reserve")


def finish_attempt(
    run: RunDir,
    number: int,
    job_exit: JobExit,
    *,
    stop_signal: int | None,
    limit: int,
    ended: float | None = None,
    can_move: bool = False,
    lost: bool = False,
) -> Finished:
    """Decide how a run continues after an attempt, and record the end of the attempt.

    Args:
        run: of the attempt.
        number: of the attempt.
        job_exit: how its ranks ended.
        stop_signal: the signal that requested the stop, if any.
        limit: consecutive attempts without progress that end the run.
        ended: when it ended, seconds since the epoch; None: now.
        can_move: whether another attempt may run on other nodes.
        lost: whether the `ftdist` that supervised it was killed.
    """
    release_reserves(run.attempt(number))
    finished = _judge(
        run, number, job_exit, stop_signal=stop_signal, limit=limit, can_move=can_move
    )
    failure = finished.failure
    is_recorded = run.record_event(
        "attempt_finished",
        attempt=number,
        outcome=finished.outcome,
        exit_code=finished.exit_code,
        # Counted: the events are read often, and there may be thousands of ranks.
        exit_codes=dict(Counter(map(str, job_exit.exit_codes))),
        checkpoint=finished.step,
        progressed=finished.num_stalled_attempts == 0,
        steps_lost=finished.steps_lost,
        cause=finished.cause,
        remedy=None if failure is None else failure.remedy,
        rank=None if failure is None else failure.rank,
        failed_host=None if failure is None else failure.host,
        **({} if ended is None else {"ended": ended}),
        **({"lost": True} if lost else {}),
    )
    if not is_recorded:
        with suppress(OSError):
            sys.stderr.write(f"The end of attempt {number} cannot be recorded in {run.events}.\n")
    return finished


def _judge(
    run: RunDir,
    number: int,
    job_exit: JobExit,
    *,
    stop_signal: int | None,
    limit: int,
    can_move: bool,
) -> Finished:
    """How a run continues after an attempt, and why the attempt ended."""
    events = list(run.read_events())
    num_stalled = attempts_without_progress(events)
    starts = [event for event in events if event.get("event") == "attempt_started"]
    own = next((event for event in starts if event["attempt"] == number), None)
    if own is None:
        raise StorageError(
            f"{run.events} has no start of attempt {number}: the run's folder was removed or "
            "replaced during the attempt.",
            remedy="train it again under a run.name of its own; no two runs can share a folder.",
        )
    before = own["checkpoint"]
    step = newest_step(run)
    progressed = step is not None and (before is None or step > before)
    decision = decide(
        job_exit.as_attempt(
            stop_signal=stop_signal,
            on_request=stop_request(run) is not None,
            superseded=run.newest_attempt() > number,
            progressed=progressed,
            can_move=can_move,
        ),
        attempts_without_progress=num_stalled,
        max_attempts_without_progress=limit,
    )
    failure = own_failure(job_exit.failure, outcome=decision.outcome)
    cause = failure.problem if failure is not None else None
    return Finished(
        outcome=decision.outcome,
        exit_code=decision.exit_code,
        failure=failure,
        step=step,
        num_stalled_attempts=0 if progressed else num_stalled + 1,
        cause=cause
        or attempt_cause(
            run, number, outcome=decision.outcome, stop_signal=stop_signal, events=events
        ),
        steps_lost=steps_lost(run, number, checkpoint=step),
    )


def step_to_export(run: RunDir, config: RunConfig) -> int | None:
    """Step of the checkpoint that `ftdist export` would export, or None."""
    best = CheckpointStore(run.checkpoints, keep=1).best()
    if best is not None and config.export.checkpoint == "best":
        return best.step
    return newest_step(run)


def newest_step(run: RunDir) -> int | None:
    """Step of the newest committed checkpoint, or None."""
    committed = CheckpointStore(run.checkpoints, keep=1).committed()
    return committed[0].step if committed else None
