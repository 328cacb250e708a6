"""The attempts of a run as recorded: where and how long they ran, and how they ended."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from ftdist_launch.run_records import Event, Records


@dataclass(frozen=True, kw_only=True)
class AttemptStatus:
    """One attempt of the run, and how it ended."""

    number: int
    started: float
    """Seconds since the epoch."""

    ended: float | None = None
    """Seconds since the epoch; None: it runs, or nothing is known about its end."""

    world_size: int
    hosts: tuple[str, ...]
    job: str | None
    """SLURM's job number; None: a local attempt."""

    outcome: str | None
    """As `ftdist_launch.restart_policy.Outcome`; None: no end is recorded."""

    checkpoint: int | None
    """Step of the newest checkpoint at its end."""

    cause: str | None
    """Why it failed."""

    rank: int | None
    """The first rank that failed."""


def read_attempts(records: Records) -> tuple[AttemptStatus, ...]:
    """All attempts, oldest first."""
    ends = {event["attempt"]: event for event in records.of_kind("attempt_finished")}
    starts = records.of_kind("attempt_started")
    return tuple(
        AttemptStatus(
            number=event["attempt"],
            started=event["time"],
            ended=_ended(end, following),
            world_size=event["world_size"],
            hosts=tuple(event.get("hosts") or [event["host"]]),
            job=event.get("job"),
            outcome=end.get("outcome"),
            checkpoint=end.get("checkpoint"),
            cause=end.get("cause"),
            rank=end.get("rank"),
        )
        for event, following in zip_longest(starts, starts[1:])
        for end in [ends.get(event["attempt"], {})]
    )


def _ended(end: Event, following: Event | None) -> float | None:
    """When an attempt ended, from the event of its end and that of the next start.

    Where its machine was lost, both come much later, and have a field that says when.
    """
    ended: float | None = None
    if end:
        ended = end.get("ended", end.get("time"))
    elif following is not None:
        ended = following.get("previous_ended", following["time"])
    return ended


def device_hours(attempts: Sequence[AttemptStatus], *, now: float) -> float:
    """Hours that all ranks of all attempts have used: GPU-hours, or process-hours on CPUs.

    Args:
        attempts: of a run.
        now: when an attempt without a recorded end was last alive, seconds since the epoch.
    """
    seconds = (
        attempt.world_size * max(0.0, (attempt.ended or now) - attempt.started)
        for attempt in attempts
    )
    return sum(seconds) / 3600
