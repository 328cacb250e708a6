"""Restart policy: decide from how an attempt ended whether the run is done, restarted or failed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ftdist.errors import (
    ConfigError,
    CrashLoopError,
    DeviceError,
    FtdistError,
    HangError,
    RequeueError,
)

Outcome = Literal["done", "requeue", "stopped", "failed", "crash_loop", "superseded"]
"""superseded: a newer attempt of another `ftdist` has replaced this one."""

NO_EXIT_FILE = -9
"""In place of the exit code of a rank that left no exit file: something killed it."""

LOST_PEER = -1
"""In place of an exit code if all ranks only report that they lost a peer."""

_RETRIED = (RequeueError.exit_code, HangError.exit_code, DeviceError.exit_code)


@dataclass(frozen=True, kw_only=True)
class AttemptEnd:
    """How one attempt ended."""

    exit_codes: tuple[int | None, ...]
    """By rank; None: it left no exit file, because it was killed."""

    cause: int | None
    """Exit code of the rank that failed first, `NO_EXIT_FILE` or `LOST_PEER`; None if none did."""

    stop_signal: int | None
    """The signal that asked `ftdist` itself to stop."""

    on_request: bool = False
    """Whether a person asked the run to stop: `ftdist cancel`, `scancel`, W&B, the stop file."""

    superseded: bool = False
    """Whether a newer attempt has begun meanwhile."""

    out_of_memory: bool
    """Whether the kernel killed a process because memory ran out."""

    progressed: bool
    """Whether there is a newer checkpoint than before the attempt."""

    can_move: bool = True
    """Whether another attempt may run on other nodes."""


@dataclass(frozen=True)
class RestartDecision:
    """What happens next, and the exit code of `ftdist` if nothing does."""

    outcome: Outcome
    exit_code: int


def decide(
    end: AttemptEnd, *, attempts_without_progress: int, max_attempts_without_progress: int
) -> RestartDecision:
    """Decide whether the run is done, restarted, or given up.

    Config errors, too small a GPU memory, a full disk and internal errors are not retried: they
    would recur. A killed rank, a hang and a time limit are, as long as attempts make progress; a
    missing or faulty GPU is where other nodes can take its place.

    Args:
        end: how this attempt ended.
        attempts_without_progress: consecutive ones before this attempt.
        max_attempts_without_progress: consecutive ones, including this one, that end the run.
    """
    if end.exit_codes and all(code == 0 for code in end.exit_codes):
        return RestartDecision("done", 0)
    if end.superseded:
        return RestartDecision("superseded", ConfigError.exit_code)
    is_retried = end.cause in _RETRIED and (end.can_move or end.cause != DeviceError.exit_code)
    if end.cause is not None and end.cause > 0 and not is_retried:
        return RestartDecision("failed", end.cause)
    if end.on_request:
        return RestartDecision("stopped", 0)
    if end.stop_signal is not None:
        return RestartDecision("stopped", 128 + end.stop_signal)
    if end.cause == NO_EXIT_FILE and end.out_of_memory:
        return RestartDecision("failed", FtdistError.exit_code)
    num_stalled = 0 if end.progressed else attempts_without_progress + 1
    if num_stalled >= max_attempts_without_progress:
        return RestartDecision("crash_loop", CrashLoopError.exit_code)
    return RestartDecision("requeue", RequeueError.exit_code)


def attempts_without_progress(events: Iterable[Mapping[str, Any]]) -> int:
    """Consecutive attempts up to now that ended without a newer checkpoint.

    Resuming the run by hand resets the count, unless the attempt before was lost with the `ftdist`
    that supervised it: a script that starts a run again and again would never end. A superseded
    attempt does not count: another `ftdist` goes on.
    """
    count, was_lost = 0, False
    for event in events:
        match event.get("event"):
            case "attempt_finished" if event.get("outcome") != "superseded":
                count = 0 if event.get("progressed") else count + 1
                was_lost = bool(event.get("lost"))
            case "run_requested" if not was_lost:
                count = 0
    return count
