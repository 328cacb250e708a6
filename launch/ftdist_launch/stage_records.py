"""Records of the stages that are one process: a folder for its start, an event for its end."""

from pathlib import Path
from typing import Any

from ftdist.rundir import RunDir
from ftdist_launch.rank_records import forget_ranks
from ftdist_launch.rank_reserve import release_reserves
from ftdist_launch.restart_policy import Outcome


def start_stage(run: RunDir, stage: str) -> Path:
    """The folder for the records of a single-process stage, without those of earlier starts."""
    folder = run.attempts / stage
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("rank-*.json"):
        path.unlink()
    forget_ranks(folder)
    return folder


def record_stage_end(
    run: RunDir,
    stage: str,
    *,
    outcome: Outcome,
    exit_code: int,
    cause: str | None,
    remedy: str | None = None,
    **fields: Any,
) -> None:
    """Record how a stage ended.

    Args:
        run: of the stage.
        stage: that ended.
        outcome: done, stopped (by a person or a signal) or failed.
        exit_code: of its process or job.
        cause: one line; None if it is done.
        remedy: what to do about it.
        **fields: further fields of the event.
    """
    release_reserves(run.attempts / stage)
    run.record_event(
        "stage_finished",
        stage=stage,
        outcome=outcome,
        exit_code=exit_code,
        cause=cause,
        remedy=remedy,
        **fields,
    )
