"""Recorded events in plain words, for people who watch a run."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ftdist_launch.attempt_end import describe_loss
from ftdist_launch.run_records import stage_outcome

from ftdist.cli.views.state_text import OUTCOMES
from ftdist.io.units import format_count

Event = Mapping[str, Any]


def describe_event(event: Event) -> str | None:
    """What happened, in one clause; None for events that no watcher needs."""
    describe = _WORDS.get(str(event.get("event")))
    return None if describe is None else describe(event)


def newest_events(events: Sequence[Event], *, count: int) -> list[tuple[float, str]]:
    """Time and words of the newest events that have words, oldest first."""
    found: list[tuple[float, str]] = []
    for event in reversed(events):
        if len(found) == count:
            break
        text = describe_event(event)
        if text is not None:
            found.append((float(event.get("time", 0.0)), text))
    return found[::-1]


def _attempt_started(event: Event) -> str:
    ranks = format_count(event["world_size"], "rank")
    step = event.get("checkpoint")
    where = "from the beginning" if step is None else f"from step {step}"
    return f"attempt {event['attempt']} started {where}, on {ranks}"


def _attempt_finished(event: Event) -> str:
    outcome = OUTCOMES.get(event["outcome"], event["outcome"])
    cause = None if event["outcome"] == "done" else event.get("cause")
    lost = event.get("steps_lost")
    return (
        f"attempt {event['attempt']}: {outcome}"
        + ("" if cause is None else f": {cause}")
        + (f" ({describe_loss(lost)})" if lost else "")
    )


def _stage_finished(event: Event) -> str:
    outcome = stage_outcome(event)
    if outcome == "done":
        return f"stage {event['stage']} is done"
    return f"stage {event['stage']} {outcome}: {event.get('cause') or 'no cause recorded'}"


def _step_skipped(event: Event) -> str:
    samples = sum(map(len, event["samples"].values()))
    count = format_count(samples, "sample")
    return f"step {event['step']} skipped: loss or gradients not finite ({count})"


def _rolled_back(event: Event) -> str:
    return (
        f"went back to step {event['to_step']}; steps {event['first'] + 1} to {event['end']} are "
        "left out"
    )


def _signal_delay_too_short(event: Event) -> str:
    return (
        f"a step ({event['step_s']:.1f} s) and a save ({event['save_s']:.1f} s) may not fit in "
        f"cluster.signal_delay_s={event['signal_delay_s']}"
    )


def _cancel_requested(event: Event) -> str:
    who = _WHO.get(str(event.get("by")), "`ftdist cancel`")
    return f"{who} {'stopped the run at once' if event.get('now') else 'asked the run to stop'}"


_WHO = {"wandb": "W&B's stop button", "scancel": "`scancel`", "stop_file": "the file `stop`"}

_WORDS: dict[str, Callable[[Event], str]] = {
    "run_requested": lambda event: f"started with `ftdist {event['by']}`",
    "job_submitted": lambda event: f"job {event['job']} submitted for stage {event['stage']}",
    "submit_failed": lambda event: f"submitting failed: {event['cause']}",
    "data_prepared": lambda event: f"library prepared: {format_count(event['steps'], 'step')}",
    "attempt_started": _attempt_started,
    "attempt_finished": _attempt_finished,
    "training_started": lambda event: f"training started after step {event['step']}",
    "training_complete": lambda event: f"training complete at step {event['step']}",
    "training_stopped": lambda event: f"training stopped after step {event['step']}",
    "checkpoint_saved": lambda event: f"checkpoint saved at step {event['step']}",
    "save_failed": lambda event: f"no checkpoint at step {event['step']}: {event['cause']}",
    "best_checkpoint_updated": lambda event: f"step {event['step']} is the best so far",
    "step_skipped": _step_skipped,
    "loss_spike": lambda event: f"loss spike at step {event['step']}: {event['loss']:.4g}",
    "rolled_back": _rolled_back,
    "signal_delay_too_short": _signal_delay_too_short,
    "checkpoint_corrupt": lambda event: f"corrupt checkpoint set aside: {event['problem']}",
    "changes_accepted": lambda event: f"accepted changes of {', '.join(event['sections'])}",
    "restart_accepted": lambda event: (
        f"checkpoints up to step {event['recorded']} have vanished: restart accepted, "
        f"{format_count(event['steps_lost'], 'step')} lost"
    ),
    "stage_started": lambda event: f"stage {event['stage']} started",
    "stage_finished": _stage_finished,
    "stage_interrupted": lambda event: f"stage {event['stage']} was interrupted and restarts",
    "requeue_failed": lambda event: f"SLURM did not restart the job: {event['cause']}",
    "cancel_requested": _cancel_requested,
    "lock_taken_over": lambda event: event["cause"].rstrip("."),
    "start_refused": lambda event: f"job {event['job']} did not start: {event['cause']}",
    "model_exported": lambda event: (
        f"model of step {event['step']} exported{', not verified' * bool(event.get('unchecked'))}"
    ),
}
"""By the name of the event."""
