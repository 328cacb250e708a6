"""What a run has done so far, from `events.jsonl` and `metrics.jsonl` alone."""

from collections import deque
from dataclasses import dataclass
from typing import Any, Literal

from ftdist.rundir import RunDir, read_json_lines
from launch.lock import is_held

State = Literal["new", "running", "lost", "done", "stopped", "failed", "crash_loop"]


@dataclass(frozen=True, kw_only=True)
class AttemptStatus:
    """One start of the run, and how it ended."""

    number: int
    started: float
    """Seconds since the epoch."""

    world_size: int
    outcome: str | None
    """As `launch.after.Outcome`; None: it runs, or ended without a word."""

    checkpoint: int | None
    """Step of the newest checkpoint at its end."""

    cause: str | None
    """Why it failed, where it did."""


@dataclass(frozen=True, kw_only=True)
class RunStatus:
    """Where a run stands."""

    name: str
    state: State
    step: int
    steps: int | None
    loss: float | None
    eta_s: float | None
    attempts: tuple[AttemptStatus, ...]
    damaged: tuple[str, ...] = ()
    """What was wrong with each checkpoint that was set aside."""


def read_status(run: RunDir) -> RunStatus:
    """Where the run stands; a lost one has no end on record and nobody who watches it."""
    attempts: dict[int, AttemptStatus] = {}
    damaged: list[str] = []
    steps: int | None = None
    for event in run.read_events():
        if event.get("event") == "launched":
            steps = event["steps"]
            attempts[event["attempt"]] = _attempt(event, end={})
        elif event.get("event") == "checkpoint_damaged":
            damaged.append(str(event.get("problem", "A checkpoint was damaged.")))
        elif event.get("event") == "attempt_ended" and event["attempt"] in attempts:
            begun = attempts[event["attempt"]]
            attempts[event["attempt"]] = _attempt(
                {"attempt": begun.number, "time": begun.started, "world_size": begun.world_size},
                end=event,
            )
    newest = newest_metrics(run)
    history = tuple(attempts[number] for number in sorted(attempts))
    return RunStatus(
        name=run.name,
        state=_state(history, held=is_held(run)),
        step=int(newest.get("step", 0)),
        steps=steps,
        loss=newest.get("train/loss"),
        eta_s=newest.get("time/eta_s"),
        attempts=history,
        damaged=tuple(damaged),
    )


def newest_metrics(run: RunDir) -> dict[str, Any]:
    """The newest row that says a step and its loss; empty before the first step."""
    rows = deque((row for row in read_json_lines(run.metrics) if "train/loss" in row), maxlen=1)
    return rows[0] if rows else {}


def _attempt(begun: dict[str, Any], *, end: dict[str, Any]) -> AttemptStatus:
    return AttemptStatus(
        number=begun["attempt"],
        started=begun["time"],
        world_size=begun["world_size"],
        outcome=end.get("outcome"),
        checkpoint=end.get("checkpoint"),
        cause=end.get("cause"),
    )


def _state(attempts: tuple[AttemptStatus, ...], *, held: bool) -> State:
    if not attempts:
        return "new"
    match attempts[-1].outcome:
        case "done":
            return "done"
        case "stopped":
            return "stopped"
        case "failed":
            return "failed"
        case "crash_loop":
            return "crash_loop"
    return "running" if held else "lost"
