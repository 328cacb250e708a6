"""Why an attempt ended and what it cost: one line of cause, and the steps that were lost."""

from collections.abc import Mapping, Sequence
from signal import SIGINT, Signals
from typing import Any

from ftdist.io.jsonl import read_json_lines
from ftdist.io.units import format_count
from ftdist.rundir import RunDir
from ftdist_launch.lock import read_holder
from ftdist_launch.rank_failures import RankFailure
from ftdist_launch.restart_policy import NO_EXIT_FILE, Outcome

Event = Mapping[str, Any]

_REQUESTS = {
    "wandb": "It was stopped with W&B's stop button.",
    "scancel": "Its job was cancelled with `scancel`.",
    "stop_file": "It was stopped by a file named `stop` in its directory.",
}
"""By who asked, as the event `cancel_requested` says."""

CANCELLED = "It was cancelled with `ftdist cancel`."


def stop_request(run: RunDir, stage: str = "train") -> str | None:
    """How a person asked a stage of a run to stop, as a sentence; None: nobody did."""
    if not run.was_cancelled(stage):
        return None
    requests = [event for event in run.read_events() if event.get("event") == "cancel_requested"]
    return _REQUESTS.get(str(requests[-1].get("by")), CANCELLED)


def unrecorded_attempt(run: RunDir) -> Event | None:
    """The event of the newest attempt's start, if no end of it is recorded."""
    started: Event | None = None
    for event in run.read_events():
        match event.get("event"):
            case "attempt_started":
                started = event
            case "attempt_finished" if started is not None:
                started = None if event["attempt"] == started["attempt"] else started
    return started


def attempt_cause(
    run: RunDir, number: int, *, outcome: Outcome, stop_signal: int | None, events: Sequence[Event]
) -> str:
    """Why an attempt ended in which no rank failed: one sentence.

    Args:
        run: of the attempt.
        number: of the attempt.
        outcome: what follows.
        stop_signal: the signal that `ftdist` itself received, if any.
        events: of the run.
    """
    if outcome == "done":
        return "All steps are done."
    if outcome == "superseded":
        holder = read_holder(run)
        by = "" if holder is None else f", by {holder}"
        return f"Attempt {run.newest_attempt()} of the run has replaced it{by}."
    if outcome == "stopped":
        if (request := stop_request(run)) is not None:
            return request
        name = "Ctrl-C" if stop_signal == SIGINT else Signals(stop_signal or SIGINT).name
        return f"It was interrupted with {name}."
    stops = [event for event in events if event.get("event") == "training_stopped"]
    names = [event.get("signal") for event in stops if event.get("attempt") == number]
    if names and names[-1] is not None:
        return f"It was asked to stop by {names[-1]}: a time limit or a preemption."
    return "It saved and stopped." if names else "Its ranks were asked to stop."


def own_failure(failure: RankFailure | None, *, outcome: Outcome) -> RankFailure | None:
    """The first failure of an attempt's ranks, if it is why the attempt ended.

    A rank that ended silently after a stop was requested, or after it was replaced, has not failed.
    """
    if outcome == "superseded":
        return None
    if outcome == "stopped" and failure is not None and failure.cause == NO_EXIT_FILE:
        return None
    return failure


def steps_lost(run: RunDir, number: int, *, checkpoint: int | None) -> int:
    """Steps of an attempt after the newest checkpoint, which the next attempt computes again."""
    rows = read_json_lines(run.metrics)
    steps = [int(row["step"]) for row in rows if row.get("attempt") == number and "step" in row]
    return max(0, max(steps, default=0) - (checkpoint or 0))


def last_record_time(run: RunDir, number: int) -> float:
    """When an attempt wrote its last event, row of metrics or measurement of a node.

    Seconds since the epoch. So it ended that nobody could record, because its machine was lost.
    """
    shared = [*read_json_lines(run.metrics), *run.read_events()]
    own = [record for record in shared if record.get("attempt") == number]
    for path in run.attempt(number).glob("system-*.jsonl"):
        own += read_json_lines(path)
    times = [e["time"] for e in own if "time" in e and e.get("event") != "attempt_finished"]
    # An `ftdist` that was killed at the very start has made the folder alone.
    return float(max(times, default=run.attempt(number).stat().st_mtime))


def describe_loss(steps: int) -> str:
    """`no step was lost`, `3 steps were lost`."""
    if not steps:
        return "no step was lost"
    return f"{format_count(steps, 'step')} {'was' if steps == 1 else 'were'} lost"
