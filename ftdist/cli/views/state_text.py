"""The words for states, progress and ends of runs."""

import time
from collections.abc import Sequence

from ftdist_launch.expert.stages import Stage
from ftdist_launch.status import AttemptStatus, RunStatus

from ftdist.io.units import format_count, format_duration

STATES = {
    "new": "never started",
    "stopped": "stopped on request",
    "crash_loop": "given up after attempts without progress",
}
"""States as shown, where they differ from `ftdist_launch.status.State`."""

LOST_HERE = "lost: the `ftdist` that ran it ended without recording an end"
LOST_ON_CLUSTER = "lost: its job left the queue without recording an end"

SHORT_STATES = {"new": "not started", "crash_loop": "given up"}

OUTCOMES = {
    "requeue": "restarted",
    "crash_loop": "given up",
    "stopped": "stopped on request",
    "superseded": "replaced",
}
"""How an attempt ended, where it differs from `ftdist_launch.restart_policy.Outcome`."""

STYLES = {
    "running": "bold green",
    "done": "green",
    "failed": "bold red",
    "crash_loop": "bold red",
    "lost": "bold red",
    "stopped": "magenta",
    "restarting": "magenta",
}
"""Colours that are readable on light and dark backgrounds."""


def short_state(status: RunStatus) -> str:
    """One or two words; of a trained run whose other stages go on or failed, which one."""
    if status.state == "done":
        if failed_stage(status) is not None:
            return "failed"
        running = next((s.name for s in status.stages if s.state == "running"), None)
        if running is not None:
            return f"at {running}"
        if (stopped := stopped_stage(status)) is not None:
            return f"stopped in {stopped.name}"
    return SHORT_STATES.get(status.state, status.state)


def describe_state(status: RunStatus) -> str:
    """A run's state, where it runs, and what it waits for."""
    stopped = stopped_stage(status)
    if status.state == "done" and stopped is not None and failed_stage(status) is None:
        return f"stopped in {stopped.name}, after the training"
    if status.state == "lost":
        state = LOST_ON_CLUSTER if status.jobs else LOST_HERE
    else:
        state = STATES.get(status.state, status.state)
    if status.state == "done":
        state += _after_training(status)
    if status.state == "running" and status.attempts:
        newest = status.attempts[-1]
        job = "" if newest.job is None else f", job {newest.job}"
        state += f" on {hosts(newest.hosts)} (attempt {newest.number}{job})"
    return state if status.reason is None else f"{state}: {status.reason.rstrip('.')}"


def _after_training(status: RunStatus) -> str:
    """Which stage of `ftdist expert` goes on or failed after the training."""
    failed = failed_stage(status)
    if failed is not None:
        return f" with the training, but stage {failed.name} failed"
    running = next((stage.name for stage in status.stages if stage.state == "running"), None)
    return "" if running is None else f" with the training, stage {running} is running"


def describe_progress(status: RunStatus) -> str:
    """Step and losses; of a running one also its throughput and the time left."""
    text = f"Step {status.step}"
    text += f" of {status.steps}" if status.steps else ""
    text += f", loss {status.loss:.4f}" if status.loss is not None else ""
    text += f", held-out loss {status.held_out_loss:.4f}" if status.held_out_loss else ""
    if status.state == "running":
        text += f", {throughput(status)}" if status.tokens_per_s is not None else ""
        text += f", {format_duration(status.eta_s)} left" if status.eta_s is not None else ""
    return text


def describe_usage(status: RunStatus) -> str:
    """What a run has used: "3.2 GPU-hours in 2 attempts"; empty before its first attempt."""
    if not status.attempts:
        return ""
    unit = "GPU-hours" if status.device == "cuda" else "process-hours"
    return (
        f"{status.device_hours:,.1f} {unit} in {format_count(len(status.attempts), 'attempt')}"
        if status.device_hours >= 0.05
        else f"under 0.1 {unit} in {format_count(len(status.attempts), 'attempt')}"
    )


def describe_outcome(attempt: AttemptStatus, *, status: RunStatus) -> str:
    """How an attempt of a run ended, or that it runs."""
    if attempt.outcome is not None:
        return OUTCOMES.get(attempt.outcome, attempt.outcome)
    last = attempt is status.attempts[-1]
    if last and status.state == "done":
        return "done"
    return status.state if last and status.state in ("running", "restarting") else "lost"


def throughput(status: RunStatus) -> str:
    """Tokens per second and, where it is known, the model FLOPs utilization."""
    text = "" if status.tokens_per_s is None else f"{status.tokens_per_s:,.0f} tokens/s"
    return text if status.mfu is None else f"{text}, {status.mfu:.0%} MFU"


def hosts(names: Sequence[str], *, max_shown: int = 4) -> str:
    """The first hosts, and how many more there are."""
    more = f" and {len(names) - max_shown} more" if len(names) > max_shown else ""
    return ", ".join(names[:max_shown]) + more


def age(since: float, *, now: float | None = None) -> str:
    """How long ago something was, in one unit: 45s, 12m, 5h, 3d.

    Args:
        since: seconds since the epoch.
        now: the same; the present time by default.
    """
    seconds = max(0.0, (time.time() if now is None else now) - since)
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= length:
            return f"{seconds // length:.0f}{unit}"
    return f"{seconds:.0f}s"


def describe_stages(status: RunStatus) -> str:
    """The stages of `ftdist expert`: "done: curate 3m20s; running: train 9m; waiting: export"."""
    groups: dict[str, list[str]] = {}
    for stage in status.stages:
        took = "" if stage.seconds is None else f" {format_duration(stage.seconds)}"
        state = "stopped" if stage.state == "cancelled" else stage.state
        groups.setdefault(state, []).append(f"{stage.name}{took}")
    order = ("done", "running", "failed", "stopped", "skipped", "waiting", "not started")
    return "; ".join(f"{state}: {', '.join(groups[state])}" for state in order if state in groups)


def failed_stage(status: RunStatus) -> Stage | None:
    """The first stage of `ftdist expert` that failed; None without one."""
    return next((stage for stage in status.stages if stage.state == "failed"), None)


def stopped_stage(status: RunStatus) -> Stage | None:
    """The first stage of `ftdist expert` that was stopped; None without one."""
    return next((stage for stage in status.stages if stage.state == "cancelled"), None)


def next_command(status: RunStatus, *, cli_name: str) -> str | None:
    """What a user types next for a run that is over; None for one that is not.

    Args:
        status: of the run.
        cli_name: how commands name the run.
    """
    if status.stages and not status.is_over:
        return None
    if any(stage.state in ("failed", "cancelled") for stage in status.stages):
        return f"ftdist expert {cli_name}"
    if status.state == "done":
        if status.scores:
            return f"ftdist chat {cli_name}"
        return f"ftdist export {cli_name}, then ftdist compare {cli_name}"
    may_resume = status.state in ("new", "failed", "crash_loop", "stopped", "lost")
    return f"ftdist resume {cli_name}" if may_resume else None
