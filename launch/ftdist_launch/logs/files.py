"""Find the log files of a run's ranks."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from ftdist.errors import ConfigError
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
        files = _job_logs(_folder(run, jobs[-1]), str(jobs[-1]["job"]))
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
    problem = f"Run {run.name} has no {_NOUNS[stage]} log yet"
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


_NOUNS = {
    "prepare": "preparation",
    "train": "training",
    "export": "export",
    "compare": "comparison",
    "merge": "merge",
}


def _check_selection(records: Records, selection: LogSelection) -> None:
    starts, stage = records.of_kind("attempt_started"), selection.stage
    if selection.attempt is not None:
        attempts = [start["attempt"] for start in starts]
        if stage != "train":
            raise ConfigError(
                f"--attempt applies to training; stage {stage} has no attempts.",
                remedy="leave out --attempt or --stage.",
            )
        if selection.attempt not in attempts:
            count = f"{len(attempts)} attempt{'s' if len(attempts) != 1 else ''}"
            raise ConfigError(
                f"Run {records.name} has had {count}; attempt {selection.attempt} does not exist.",
                remedy="leave out --attempt for the newest one.",
            )
    if selection.rank is None:
        return
    ranks = 1 if stage != "train" else max((s["world_size"] for s in starts), default=None)
    if ranks is not None and selection.rank >= ranks:
        existing = "only rank 0" if ranks == 1 else f"ranks 0 to {ranks - 1}"
        raise ConfigError(
            f"Rank {selection.rank} does not exist: the {_NOUNS[stage]} of run {records.name} has "
            f"{existing}.",
            remedy="choose one of them, or leave out --rank.",
        )


def _local_logs(run: RunDir, records: Records, selection: LogSelection) -> list[LogFile]:
    """Of a local run: one folder per attempt, with a process number in place of a job number."""
    folder = run.jobs / selection.stage
    if selection.stage == "train":
        newest = max((s["attempt"] for s in records.of_kind("attempt_started")), default=0)
        folder = run.jobs / f"train-{selection.attempt or newest}"
    jobs: dict[str, list[LogFile]] = {}
    for job, file in _logs_in(folder):
        jobs.setdefault(job, []).append(file)
    return max(jobs.values(), key=_modified, default=[])


def _modified(files: Sequence[LogFile]) -> float:
    return max(file.path.stat().st_mtime for file in files)


def _job_logs(folder: Path, job: str) -> list[LogFile]:
    return [file for name, file in _logs_in(folder) if name == job]


def _attempt_logs(run: RunDir, records: Records, number: int) -> list[LogFile]:
    """Of a job on a cluster: all its attempts append to the same files."""
    starts = records.of_kind("attempt_started")
    (index,) = [i for i, start in enumerate(starts) if start["attempt"] == number]
    start, job = starts[index], str(starts[index].get("job"))
    following = next((s for s in starts[index + 1 :] if str(s.get("job")) == job), None)
    submitted = next(e for e in records.of_kind("job_submitted") if str(e["job"]) == job)
    files = []
    for file in _job_logs(_folder(run, submitted), job):
        if file.rank == 0:
            # Batch script and srun append here too, without timestamps; its length is recorded.
            end = None if following is None else following["log_bytes"]
            part = LogFile(path=file.path, rank=0, start=start["log_bytes"], end=end)
        else:
            before = float("inf") if following is None else following["time"]
            part = LogFile(path=file.path, rank=file.rank, since=start["time"], before=before)
        files.append(part)
    return files


def _folder(run: RunDir, submitted: Event) -> Path:
    """The log folder of a job; if the run was moved, the one inside the run directory."""
    recorded = Path(submitted["logs"])
    return recorded if recorded.is_dir() else run.jobs / submitted["stage"]


def _logs_in(folder: Path) -> list[tuple[str, LogFile]]:
    logs = []
    for path in folder.glob("*_log.out"):
        match = _NAME.fullmatch(path.name)
        if match is not None:
            logs.append((match["job"], LogFile(path=path, rank=int(match["rank"]))))
    return logs
