"""Find the log files of a run's ranks."""

import math
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

from ftdist.errors import ConfigError
from ftdist.io.units import format_count
from ftdist.rundir import RunDir
from ftdist_launch.logs.merge import LogFile
from ftdist_launch.run_records import Event, Records
from ftdist_launch.slurm.sbatch import Stage
from ftdist_launch.status import OVER, RunStatus

STAGES: tuple[Stage, ...] = get_args(Stage)

_NAME = re.compile(r"(?P<job>\d+(?:_\d+)?)_(?P<rank>\d+)_log\.out")


@dataclass(frozen=True, kw_only=True)
class LogSelection:
    """Which logs to show."""

    stage: Stage = "train"
    rank: int | None = None
    """None: all."""

    attempt: int | None = None
    """None: the newest one of a local run, or all of the newest job on a cluster."""


def find_logs(run: RunDir, records: Records, selection: LogSelection) -> list[LogFile]:
    """The existing logs, in order of ranks; there may be none yet.

    Raises:
        ConfigError: the stage, attempt or rank does not exist.
    """
    _check_selection(records, selection)
    jobs = [
        event for event in records.of_kind("job_submitted") if event["stage"] == selection.stage
    ]
    starts = records.of_kind("attempt_started")
    resumed_here = selection.stage == "train" and bool(starts) and "job" not in starts[-1]
    if not jobs or (resumed_here and selection.attempt is None):
        files = _local_logs(run, records, selection)
    elif selection.attempt is None:
        files = _job_logs(run, jobs[-1])
    else:
        files = _attempt_logs(run, records, selection.attempt)
    selected = [file for file in files if selection.rank in (None, file.rank)]
    return sorted(selected, key=lambda file: (file.rank, str(file.path)))


def is_complete(records: Records, status: RunStatus, selection: LogSelection) -> bool:
    """Whether nothing will be added to the logs any more."""
    attempts = {attempt.number: attempt for attempt in status.attempts}
    if selection.attempt is not None and (
        attempts[selection.attempt].outcome is not None or selection.attempt < max(attempts)
    ):
        return True
    if selection.stage == "train":
        return status.state in (*OVER, "new")
    jobs = [job for job in status.jobs if job.stage == selection.stage]
    return jobs[0].over if jobs else not records.held


def missing_log_error(
    run: RunDir, records: Records, status: RunStatus, selection: LogSelection
) -> ConfigError:
    """Why there are no logs, and what to do."""
    stage, name = selection.stage, run.cli_name
    problem = f"Run {run.name} has no log of stage {stage} yet"
    flags = "" if selection.rank is None else f" --rank {selection.rank}"
    flags += "" if stage == "train" else f" --stage {stage}"
    remedy = f"wait for it with `ftdist logs {name}{flags} -f`."
    job = next((job for job in status.jobs if job.stage == stage), None)
    if job is not None and job.over:
        problem += f", and job {job.job} is no longer in the queue ({job.summary})"
        remedy = f"see `ftdist status {name}`."
    elif job is not None:
        problem += f": job {job.job} is {job.summary}"
    elif selection.rank is not None and records.of_kind("attempt_started"):
        problem = f"Rank {selection.rank} of run {run.name} has no log yet"
    elif stage == "prepare":
        problem += ": without a cluster, `ftdist train` prepares the library itself"
        remedy = f"see the training log: `ftdist logs {name}`."
    elif stage != "train":
        problem += f": `ftdist {stage}` was not run"
        remedy = f"start it: `ftdist {stage} {name}`."
    elif status.state == "new":
        problem += ": it was never started"
        remedy = f"start it: `ftdist resume {name}`."
    return ConfigError(f"{problem}.", remedy=remedy)


def _check_selection(records: Records, selection: LogSelection) -> None:
    starts, stage = records.of_kind("attempt_started"), selection.stage
    if selection.attempt is not None and stage != "train":
        raise ConfigError(
            f"--attempt applies to training; stage {stage} has no attempts.",
            remedy="leave out --attempt or --stage.",
        )
    if selection.attempt not in (None, *(start["attempt"] for start in starts)):
        raise ConfigError(
            f"Run {records.name} has no attempt {selection.attempt}.",
            remedy="leave out --attempt for the newest one.",
        )
    ranks = 1 if stage != "train" else max((s["world_size"] for s in starts), default=None)
    if ranks is not None and selection.rank is not None and selection.rank >= ranks:
        raise ConfigError(
            f"Rank {selection.rank} does not exist: stage {stage} of run {records.name} has "
            f"{format_count(ranks, 'rank')}, counted from 0.",
            remedy="choose one of them, or leave out --rank.",
        )


def _local_logs(run: RunDir, records: Records, selection: LogSelection) -> list[LogFile]:
    """Of a local run: one folder per attempt, with a process number in place of a job number."""
    folder = run.jobs / selection.stage
    if selection.stage == "train":
        newest = max((s["attempt"] for s in records.of_kind("attempt_started")), default=0)
        folder = run.jobs / f"train-{selection.attempt or newest}"
    files = _logs_in(folder)
    newest_job = max(files, key=lambda file: file.path.stat().st_mtime).job if files else ""
    return [file for file in files if file.job == newest_job]


def _job_logs(run: RunDir, submitted: Event) -> list[LogFile]:
    folder = Path(submitted["logs"])
    if not folder.is_dir():  # the run was moved
        folder = run.jobs / submitted["stage"]
    return [file for file in _logs_in(folder) if file.job == submitted["job"]]


def _attempt_logs(run: RunDir, records: Records, number: int) -> list[LogFile]:
    """Of a job on a cluster: all its attempts append to the same files."""
    starts = {start["attempt"]: start for start in records.of_kind("attempt_started")}
    job = starts[number].get("job")
    submitted = next(e for e in records.of_kind("job_submitted") if e["job"] == job)
    # The first attempt has what the job printed before; times in logs are in milliseconds.
    times = {n: int(s["time"] * 1000) / 1000 for n, s in starts.items() if s.get("job") == job}
    since = 0.0 if number == min(times) else times[number]
    before = min((time for n, time in times.items() if n > number), default=math.inf)
    return [replace(file, since=since, before=before) for file in _job_logs(run, submitted)]


def _logs_in(folder: Path) -> list[LogFile]:
    matches = {path: _NAME.fullmatch(path.name) for path in folder.glob("*_log.out")}
    return [
        LogFile(path=path, job=match["job"], rank=int(match["rank"]))
        for path, match in matches.items()
        if match is not None
    ]
