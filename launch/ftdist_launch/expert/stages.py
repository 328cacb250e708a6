"""The stages of a run of `ftdist expert`, read from its events.

stages_planned   at each `ftdist expert`: the stages, which are skipped, which stay as they are
stage_started    a single-process stage starts: here, or (with `job`) on a cluster
stage_finished   it ended, with its exit code; training has events of attempts instead
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from ftdist.rundir import RunDir
from ftdist_launch.lock import is_held
from ftdist_launch.run_records import Event, stage_outcome
from ftdist_launch.slurm.job_status import JobStatus

StageName = Literal["curate", "prepare", "train", "export", "compare"]

STAGES: tuple[StageName, ...] = get_args(StageName)
"""In the order in which they run; `compare` writes the report."""

TITLES: Mapping[StageName, str] = {
    "curate": "make the library",
    "prepare": "tokenise, pack and plan",
    "train": "train all parameters",
    "export": "export the tuned model",
    "compare": "compare base and tuned, write the report",
}

StageState = Literal["waiting", "running", "done", "failed", "cancelled", "not started", "skipped"]
"""cancelled: stopped on request; not started: an earlier stage failed or was stopped."""

LOST = "The `ftdist` that ran it ended without recording an end."


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One stage of a run of `ftdist expert`."""

    name: StageName
    state: StageState
    job: str | None = None
    """SLURM's job number; None: it runs here, or was not submitted."""

    seconds: float | None = None
    """How long it ran, all its starts together; up to now while it runs. None: it never started."""

    problem: str | None = None
    """Why it failed or was cancelled."""

    remedy: str | None = None
    """What to do about it."""


def read_stages(run: RunDir, *, jobs: Iterable[JobStatus] = ()) -> tuple[Stage, ...]:
    """The stages of a run, in order; empty for a run that `ftdist expert` did not make.

    Args:
        run: the run.
        jobs: of `RunStatus.jobs`, where SLURM was queried: they show which jobs left the queue
            without recording an end.
    """
    return stages_of(list(run.read_events()), jobs=jobs, held=is_held(run), now=time.time())


def stage_with_log(stages: Iterable[Stage]) -> StageName:
    """The newest stage that has a log; `train` for a run without stages, and before the first."""
    # Here, `prepare` runs in the process of `ftdist expert` itself.
    logged = [
        stage.name
        for stage in stages
        if stage.seconds is not None and (stage.name != "prepare" or stage.job is not None)
    ]
    return logged[-1] if logged else "train"


def stages_of(
    events: Sequence[Event], *, jobs: Iterable[JobStatus] = (), held: bool, now: float
) -> tuple[Stage, ...]:
    """The stages of a run from its events.

    Args:
        events: of the run, oldest first.
        jobs: as for `read_stages`.
        held: whether a process holds the lock of the run.
        now: seconds since the epoch.
    """
    plan = newest_plan(events)
    if plan is None:
        return ()
    since = events[_index(events, plan) :]
    ended = {job.job: job.summary for job in jobs if job.over and job.state is None}
    stages: list[Stage] = []
    for name in plan["stages"]:
        if name in plan["skipped"]:
            stages.append(Stage(name=name, state="skipped"))
            continue
        own = list(_events_of(name, events if name in plan["reused"] else since))
        stage = _stage(name, own, ended=ended, held=held, now=now)
        if name == "train":  # it resumes: the time of earlier commands counts
            whole = _stage(name, _events_of(name, events), ended=ended, held=held, now=now)
            stage = replace(stage, seconds=whole.seconds)
        blocked = next((s for s in stages if s.state in ("failed", "cancelled")), None)
        never_began = stage.state in ("waiting", "cancelled") and stage.seconds is None
        if never_began and blocked is not None:
            problem = f"Stage {blocked.name} {'failed' if blocked.state == 'failed' else 'stopped'}"
            problem = stage.problem or f"{problem}."
            stage = Stage(name=name, state="not started", job=stage.job, problem=problem)
        stages.append(stage)
    return tuple(stages)


def newest_plan(events: Iterable[Event]) -> Event | None:
    """The newest event of `ftdist expert`; None: it did not make this run."""
    plans = [event for event in events if event.get("event") == "stages_planned"]
    return plans[-1] if plans else None


def _index(events: Sequence[Event], wanted: Event) -> int:
    return next(i for i, event in enumerate(events) if event is wanted)


def _events_of(name: str, events: Iterable[Event]) -> Iterator[Event]:
    """The events of one stage, and those that cancel it."""
    for event in events:
        kind = event.get("event", "")
        of_attempt = name == "train" and kind in _OF_TRAINING
        cancels = kind in ("cancel_requested", "submit_failed")
        if of_attempt or cancels or event.get("stage") == name:
            yield event


_OF_TRAINING = ("attempt_started", "attempt_finished", "training_complete")


@dataclass
class _Progress:
    """What the events of a stage say, up to one of them."""

    state: StageState = "waiting"
    job: str | None = None
    started: float | None = None
    """When its running start began."""

    is_complete: bool = False
    """Whether its ranks made the last step."""

    seconds: float | None = None
    problem: str | None = None
    remedy: str | None = None

    def start(self, event: Event) -> None:
        if "previous_ended" in event:
            self.end("waiting", {"time": event["previous_ended"]})
        self.state, self.job, self.is_complete = "running", event.get("job"), False
        self.started, self.problem, self.remedy = event.get("time"), None, None

    def end(self, state: StageState, event: Event) -> None:
        ended = event.get("ended", event.get("time"))  # another one where a machine was lost
        if self.started is not None and ended is not None:
            self.seconds = (self.seconds or 0.0) + ended - self.started
        self.state, self.started = state, None
        self.problem, self.remedy = event.get("cause"), event.get("remedy")


_OUTCOMES: Mapping[str, StageState] = {"done": "done", "requeue": "waiting", "stopped": "cancelled"}


def _stage(
    name: StageName, events: Iterable[Event], *, ended: Mapping[str, Any], held: bool, now: float
) -> Stage:
    progress = _Progress()
    for event in events:
        _apply(event, progress)
    if progress.state in ("waiting", "running"):
        _correct(progress, ended=ended, held=held)
    seconds = progress.seconds
    if progress.state == "running" and progress.started is not None:
        seconds = (seconds or 0.0) + max(0.0, now - progress.started)
    return Stage(
        name=name,
        state=progress.state,
        job=progress.job,
        seconds=seconds,
        problem=progress.problem,
        remedy=progress.remedy,
    )


def _apply(event: Event, progress: _Progress) -> None:
    match event["event"]:
        case "job_submitted":
            progress.state, progress.job = "waiting", event["job"]
            progress.problem = progress.remedy = None
        case "stage_started" | "attempt_started":
            progress.start(event)
        case "training_complete":
            progress.is_complete = True
        case "stage_interrupted":
            progress.end("waiting", event)
        case "attempt_finished" if event["outcome"] != "superseded":
            progress.end(_OUTCOMES.get(event["outcome"], "failed"), event)
        case "stage_finished":
            progress.end(_OUTCOMES.get(stage_outcome(event), "failed"), event)
        case "cancel_requested" if progress.state == "waiting":
            progress.end("cancelled", {"cause": "It was cancelled."})
        case "submit_failed" if progress.state == "waiting":
            progress.end("cancelled", {"cause": event["cause"]})


def _correct(progress: _Progress, *, ended: Mapping[str, Any], held: bool) -> None:
    """Correct a stage whose end nobody recorded."""
    if progress.job is not None and progress.job in ended:
        never_started = progress.seconds is None and progress.state == "waiting"
        progress.end("cancelled" if never_started else "failed", {})
        progress.problem = f"Job {progress.job}: {ended[progress.job]}."
    elif progress.job is None and progress.state == "running" and not held:
        if progress.is_complete:  # its `ftdist` was killed, and its ranks went on
            progress.end("done", {})
        else:
            progress.end("failed", {"cause": LOST})
