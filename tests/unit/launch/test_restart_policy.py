"""The restart policy, and which rank failed first, as tables."""

from pathlib import Path

import pytest
from ftdist_launch.rank_failures import (
    RankFailure,
    exited_silently,
    first_failure,
    read_failures,
    write_failure,
)
from ftdist_launch.restart_policy import (
    LOST_PEER,
    NO_EXIT_FILE,
    AttemptEnd,
    RestartDecision,
    attempts_without_progress,
    decide,
)

KILLED = None


def end(
    *codes: int | None,
    cause: int | None = None,
    stop_signal: int | None = None,
    out_of_memory: bool = False,
    progressed: bool = False,
) -> AttemptEnd:
    return AttemptEnd(
        exit_codes=codes,
        cause=cause,
        stop_signal=stop_signal,
        out_of_memory=out_of_memory,
        progressed=progressed,
    )


@pytest.mark.parametrize(
    ("ended", "num_stalled", "decision"),
    [
        (end(0, 0), 0, RestartDecision("done", 0)),
        (end(0, 0, stop_signal=2), 0, RestartDecision("done", 0)),
        (end(75, 75, progressed=True), 0, RestartDecision("requeue", 75)),
        (end(75, 75, progressed=True), 2, RestartDecision("requeue", 75)),
        (end(75, 75), 1, RestartDecision("requeue", 75)),
        (end(75, 75), 2, RestartDecision("crash_loop", 99)),
        (end(75, 75, stop_signal=2, progressed=True), 0, RestartDecision("stopped", 130)),
        (end(75, 75, stop_signal=15), 2, RestartDecision("stopped", 143)),
        (
            end(KILLED, KILLED, stop_signal=2, cause=NO_EXIT_FILE),
            0,
            RestartDecision("stopped", 130),
        ),
        (end(78, KILLED, cause=78), 0, RestartDecision("failed", 78)),
        (end(74, 74, cause=74, progressed=True), 0, RestartDecision("failed", 74)),
        (end(70, KILLED, cause=70), 0, RestartDecision("failed", 70)),
        (end(74, 75, cause=74, stop_signal=2), 0, RestartDecision("failed", 74)),
        (end(99, 99, cause=99), 0, RestartDecision("failed", 99)),
        (end(70, KILLED, cause=NO_EXIT_FILE, progressed=True), 2, RestartDecision("requeue", 75)),
        (end(70, KILLED, cause=NO_EXIT_FILE), 2, RestartDecision("crash_loop", 99)),
        (end(70, KILLED, cause=NO_EXIT_FILE, out_of_memory=True), 0, RestartDecision("failed", 70)),
        (end(76, 76, cause=76), 0, RestartDecision("requeue", 75)),
        (end(76, 76, cause=76), 2, RestartDecision("crash_loop", 99)),
        (end(70, 70, cause=LOST_PEER), 0, RestartDecision("requeue", 75)),
        (end(), 0, RestartDecision("requeue", 75)),
    ],
)
def test_restart_decisions_after_an_attempt(
    ended: AttemptEnd, num_stalled: int, decision: RestartDecision
) -> None:
    decided = decide(ended, attempts_without_progress=num_stalled, max_attempts_without_progress=3)
    assert decided == decision


def test_stalled_attempts_are_counted_since_the_last_progress_or_request() -> None:
    stalled, progress, requested = (
        {"event": "attempt_finished", "progressed": False},
        {"event": "attempt_finished", "progressed": True},
        {"event": "run_requested"},
    )
    assert attempts_without_progress([]) == 0
    assert attempts_without_progress([requested, stalled, stalled]) == 2
    assert (
        attempts_without_progress([requested, stalled, progress, stalled, {"event": "other"}]) == 1
    )
    assert attempts_without_progress([requested, stalled, stalled, requested]) == 0


# Which rank failed first


def failure(rank: int, at: float, problem: str, code: int = 70) -> RankFailure:
    return RankFailure(
        rank=rank,
        time=at,
        problem=problem,
        remedy="do something.",
        exit_code=code,
        traceback="",
        expected=False,
    )


def test_the_cause_is_shown_rather_than_an_earlier_echo() -> None:
    echo = failure(0, 10.0, "Rank 0 failed: RuntimeError: Connection closed by peer [127.0.0.1]")
    cause = failure(1, 11.0, "Rank 1 failed: ValueError: row 7 has no answer")
    assert first_failure([echo, cause]) == cause
    assert cause.cause == 70


def test_a_killed_rank_comes_before_the_echoes_that_it_left() -> None:
    echo = failure(0, 10.0, "Rank 0 failed: RuntimeError: Connection reset by peer")
    killed = exited_silently(1, time=10.2, out_of_memory=False, log=Path("log"))
    assert first_failure([echo, killed]) == killed
    assert killed.cause == NO_EXIT_FILE


def test_only_echoes_mean_that_ranks_lost_each_other() -> None:
    early, late = failure(0, 1.0, "Broken pipe"), failure(1, 2.0, "Connection reset by peer")
    first = first_failure([late, early])
    assert first == early
    assert first.cause == LOST_PEER
    assert first_failure([]) is None


def test_a_failure_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_failure(tmp_path, failure(1, 2.0, "The disk is full."))
    assert read_failures(tmp_path) == [failure(1, 2.0, "The disk is full.")]
