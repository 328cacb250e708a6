"""What to do once an attempt has ended: a pure decision from what it left behind."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ftdist.errors import (
    CrashLoopError,
    FtdistError,
    HangError,
    RequeueError,
)

Outcome = Literal["done", "requeue", "stopped", "failed", "crash_loop"]

NO_EXIT_FILE = -9
"""Stands for the exit code of a rank that ended without a word: something killed it."""

LOST_PEER = -1
"""Stands for the exit code where all that is known is that ranks lost each other."""

OWN_MISTAKE = FtdistError.exit_code


@dataclass(frozen=True, kw_only=True)
class AttemptEnd:
    """How one attempt ended."""

    exit_codes: tuple[int | None, ...]
    """Of each rank; None: it left none behind (killed, by somebody or by the launcher)."""

    cause: int | None
    """Exit code of the rank that failed first, `NO_EXIT_FILE` or `LOST_PEER`; None if none did."""

    stop_signal: int | None
    """The signal by which a person or the machine asked `ftdist` itself to stop."""

    out_of_memory: bool
    """Whether the machine killed a process for want of memory meanwhile."""

    progressed: bool
    """Whether there is a newer checkpoint than before."""


@dataclass(frozen=True)
class RestartDecision:
    """What happens now, and what `ftdist` answers if nothing more does."""

    outcome: Outcome
    exit_code: int


def decide(
    end: AttemptEnd, *, attempts_without_progress: int, max_attempts_without_progress: int
) -> RestartDecision:
    """Whether the run is done, is started again, or is given up.

    A mistake in the config or a full disk is not repeated; neither is an error of our own, which
    would be the same again. A rank that was killed, a hang and a time limit are, as long as
    attempts make progress.

    Args:
        end: how this attempt ended.
        attempts_without_progress: in a row, before this one.
        max_attempts_without_progress: how many of them, with this one, end the run.
    """
    if end.exit_codes and all(code == 0 for code in end.exit_codes):
        return RestartDecision("done", 0)
    if end.cause is not None and end.cause > 0 and end.cause not in _WORTH_REPEATING:
        return RestartDecision("failed", end.cause)
    if end.stop_signal is not None:
        return RestartDecision("stopped", 128 + end.stop_signal)
    if end.cause == NO_EXIT_FILE and end.out_of_memory:
        return RestartDecision("failed", OWN_MISTAKE)
    num_stalled = 0 if end.progressed else attempts_without_progress + 1
    if num_stalled >= max_attempts_without_progress:
        return RestartDecision("crash_loop", CrashLoopError.exit_code)
    return RestartDecision("requeue", RequeueError.exit_code)


_WORTH_REPEATING = (RequeueError.exit_code, HangError.exit_code)


def attempts_without_progress(events: Iterable[Mapping[str, Any]]) -> int:
    """Attempts in a row, up to now, that ended without a newer checkpoint.

    A person who resumes a run by hand starts the count anew.
    """
    count = 0
    for event in events:
        match event.get("event"):
            case "attempt_finished":
                count = 0 if event.get("progressed") else count + 1
            case "run_requested":
                count = 0
    return count
