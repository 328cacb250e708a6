"""One run in detail: state, stages, attempts, jobs and causes."""

import time
from textwrap import wrap

from ftdist_launch.status import RunStatus
from rich.text import Text

from ftdist.cli.views.columns import GAP, Column, fit, natural_width
from ftdist.cli.views.state_text import (
    describe_outcome,
    describe_progress,
    describe_stages,
    describe_state,
    describe_usage,
    hosts,
    next_command,
)

ATTEMPTS = (
    Column(name="attempt", is_number=True),
    Column(name="started"),
    Column(name="ranks", is_number=True, drop=1),
    Column(name="on", min_width=8),
    Column(name="job"),
    Column(name="end"),
    Column(name="checkpoint", is_number=True),
)

JOBS = (Column(name="job"), Column(name="stage"), Column(name="state", min_width=20))

MIN_WRAP = 20
"""Narrower columns are cut rather than wrapped."""


def describe_run(status: RunStatus, *, cli_name: str) -> list[str]:
    """Sentences about a run: they may be longer than a terminal is wide.

    Args:
        status: of the run.
        cli_name: how commands name the run.
    """
    usage, following = describe_usage(status), next_command(status, cli_name=cli_name)
    lines = [
        f"Run {status.name}: {describe_state(status)}.",
        f"{describe_progress(status)}{f'; {usage}' if usage else ''}.",
        f"Stages: {describe_stages(status)}." if status.stages else None,
        *_stage_problems(status),
        _scores(status),
        status.error,
        None if status.remedy is None else f"To fix: {status.remedy}",
        None if status.wandb_url is None else f"W&B: {status.wandb_url}",
        *(f"Corrupt checkpoint set aside: {problem}" for problem in status.corrupt_checkpoints),
        status.note,
        _next(status, following),
    ]
    return [line for line in lines if line is not None]


def attempts_table(status: RunStatus, *, width: int | None) -> list[Text]:
    """One row per attempt, and below it why it failed; empty without attempts."""
    rows = [
        [
            Text(str(attempt.number)),
            Text(time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(attempt.started))),
            Text(str(attempt.world_size)),
            Text(hosts(attempt.hosts)),
            Text(attempt.job or ""),
            Text(describe_outcome(attempt, status=status)),
            Text("" if attempt.checkpoint is None else f"{attempt.checkpoint}"),
        ]
        for attempt in status.attempts
    ]
    if not rows:
        return []
    header, *fitted = fit(ATTEMPTS, rows, width=width)
    lines = [header]
    for line, attempt in zip(fitted, status.attempts, strict=True):
        lines.append(line)
        if attempt.cause is not None and attempt.outcome != "done":
            lines.append(Text(f"         {attempt.cause}", style="dim"))
    return lines


def jobs_table(status: RunStatus, *, width: int | None) -> list[Text]:
    """One row per job; empty for a local run."""
    if not status.jobs:
        return []
    names = [[Text(job.job), Text(job.stage)] for job in status.jobs]
    room = None if width is None else width - natural_width(JOBS[:2], names) - GAP
    rows = []
    for cells, job in zip(names, status.jobs, strict=True):
        parts = [job.summary] if room is None else wrap(job.summary, max(MIN_WRAP, room))
        rows.append([*cells, Text(parts[0] if parts else "")])
        rows += [[Text(), Text(), Text(part)] for part in parts[1:]]
    return fit(JOBS, rows, width=width)


def _scores(status: RunStatus) -> str | None:
    """The scores of the comparison, or else of the newest evaluation in training."""
    compared = ("fact_accuracy", "general_mc_accuracy", "general_accuracy", "leak_rate")
    in_training = ("fact_recall_greedy", "fact_accuracy_ranked", "general_mc_accuracy")
    scores = {name: status.scores[name] for name in compared if name in status.scores}
    title = "Comparison"
    if not scores:
        title, evals = "Newest evaluation", status.evals
        scores = {name: evals[f"eval/{name}"] for name in in_training if f"eval/{name}" in evals}
    if not scores:
        return None
    return f"{title}: {', '.join(f'{name} {value:.2f}' for name, value in scores.items())}."


def _stage_problems(status: RunStatus) -> list[str]:
    """Why other stages than the training failed, with what to do about it."""
    lines = []
    for stage in status.stages:
        if stage.state == "failed" and stage.problem not in (None, status.error):
            lines.append(f"Stage {stage.name} failed: {stage.problem}")
            lines += [f"To fix: {stage.remedy}"] if stage.remedy is not None else []
    return lines


def _next(status: RunStatus, following: str | None) -> str | None:
    if following is None:
        return None
    if status.state == "done":
        return f"Next: `{following.replace(', then ', '`, then `')}`."
    verb = "Start" if status.state == "new" else "Resume"
    return f"{'Continue' if status.stages else verb} it with `{following}`."
