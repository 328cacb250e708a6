"""A run's events in words: attempts, checkpoints and interruptions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ftdist.io.units import format_count

Event = Mapping[str, Any]

MAX_EVENTS = 200
"""Events that are shown: the newest."""

_OUTCOMES = {
    "done": "complete",
    "requeue": "interrupted; it starts again",
    "stopped": "stopped",
    "failed": "failed",
    "crash_loop": "given up: no progress",
}


@dataclass(frozen=True, kw_only=True)
class EventLine:
    """One event."""

    time: str
    words: str
    is_bad: bool = False


def is_training(events: Sequence[Event]) -> bool:
    """Whether an attempt has started and its end is not recorded."""
    return _last_turn(events).get("event") == "attempt_started"


def outcome_of(events: Sequence[Event]) -> str:
    """The state of the run in a few words."""
    last = _last_turn(events)
    if not last:
        return "not started"
    if last["event"] == "attempt_started":
        return f"training, attempt {last['attempt']}"
    return str(_OUTCOMES.get(last["outcome"], last["outcome"]))


def describe_events(events: Sequence[Event]) -> list[EventLine]:
    """The newest events that a reader of curves wants to know, newest first."""
    best = [event for event in events if event.get("event") == "best_checkpoint_updated"]
    lines = [
        EventLine(
            time=f"{datetime.fromtimestamp(event['time'], UTC):%Y-%m-%d %H:%M:%S}",
            words=words,
            is_bad=_is_bad(event),
        )
        for event in events
        if event not in best[:-1] and "time" in event and (words := _words(event))
    ]
    return lines[::-1][:MAX_EVENTS]


def _last_turn(events: Sequence[Event]) -> Event:
    turns = ("attempt_started", "attempt_finished")
    return next((e for e in reversed(events) if e.get("event") in turns), {})


def _words(event: Event) -> str:
    match event.get("event"):
        case "attempt_started":
            ranks = format_count(event.get("world_size", 0), "rank")
            begin = event.get("checkpoint")
            return f"Attempt {event['attempt']} starts on {ranks}, {_place(begin)}."
        case "attempt_finished":
            outcome = _OUTCOMES.get(event["outcome"], event["outcome"])
            return f"Attempt {event['attempt']} ends: {outcome}. {event.get('cause') or ''}".strip()
        case "best_checkpoint_updated":
            return f"Step {event['step']:,} is the best checkpoint."
        case "save_failed":
            return f"No checkpoint at step {event['step']:,}: {event['cause']}"
        case "checkpoint_corrupt":
            return f"A checkpoint is damaged: {event.get('problem', '')}"
        case "cancel_requested":
            return f"Cancelled by {_STOPPED_BY.get(event['by'], 'a user')}."
        case "rolled_back":
            return f"Training goes back to step {event['to_step']:,}."
        case "requeue_failed":
            return f"The job could not be requeued. {event.get('cause', '')}"
        case "model_exported":
            return f"Step {event['step']:,} was exported. {event.get('unchecked') or ''}".rstrip()
    return ""


_STOPPED_BY = {"wandb": "the stop button of W&B", "stop_file": "the stop file"}


def _place(checkpoint: int | None) -> str:
    return "from the beginning" if not checkpoint else f"after step {checkpoint:,}"


def _is_bad(event: Event) -> bool:
    return event.get("event") in ("save_failed", "checkpoint_corrupt", "requeue_failed") or (
        event.get("outcome") in ("requeue", "failed", "crash_loop")
    )
