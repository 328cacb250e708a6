"""Which files hold the logs of a run's ranks."""

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
    """Which logs somebody wants to see."""

    stage: Stage = "train"
    rank: int | None = None
    """None: all."""

    attempt: int | None = None
    """None: the newest one on a machine of one's own, all of the newest job on a cluster."""


def find(run: RunDir, records: Records, wanted: LogSelection) -> list[LogFile]:
    """The logs that there are, in order of ranks; there may be none yet.

    Raises:
        ConfigError: there is no such stage, attempt or rank.
    """
    _refuse_what_is_not(records, wanted)
    jobs = [event for event in records.of_kind("job_submitted") if event["stage"] == wanted.stage]
    starts = records.of_kind("attempt_started")
    goes_on_here = wanted.stage == "train" and bool(starts) and "job" not in starts[-1]
    if not jobs or (goes_on_here and wanted.attempt is None):
        files = _local(run, records, wanted)
    elif wanted.attempt is None:
        files = _of_job(_folder(run, jobs[-1]), str(jobs[-1]["job"]))
    else:
        files = _of_attempt(run, records, wanted.attempt)
    chosen = [file for file in files if wanted.rank in (None, file.rank)]
    return sorted(chosen, key=lambda file: (file.rank, str(file.path)))


def is_over(records: Records, status: RunStatus, wanted: LogSelection) -> bool:
    """Whether nothing will be added to the logs any more."""
    attempts = {attempt.number: attempt for attempt in status.attempts}
    if wanted.attempt is not None and (
        attempts[wanted.attempt].outcome is not None or wanted.attempt < max(attempts)
    ):
        return True
    if wanted.stage == "train":
        return status.state in (*OVER, "new")
    of_stage = [job for job in status.jobs if job.stage == wanted.stage]
    return of_stage[0].over if of_stage else not records.held


def nothing_yet(
    run: RunDir, records: Records, status: RunStatus, wanted: LogSelection
) -> ConfigError:
    """What to tell somebody who wants logs of which there are none."""
    what = f"Run {run.name} has no log of its {_WHAT[wanted.stage]} yet"
    asked = f"--rank {wanted.rank} " if wanted.rank is not None else ""
    follow = f"wait for it with `ftdist logs {run.cli_name} {asked}-f`."
    job = next((job for job in status.jobs if job.stage == wanted.stage), None)
    if job is not None and not job.over:
        if wanted.stage != "train":
            follow = f"wait for it with `ftdist logs {run.cli_name} --stage {wanted.stage} -f`."
        return ConfigError(f"{what}: job {job.job} {job.told}.", remedy=follow)
    if job is not None:
        return ConfigError(
            f"{what}, and job {job.job} is no longer in the queue: {job.told}.",
            remedy=f"see what is known of it: `ftdist status {run.cli_name}`.",
        )
    if wanted.rank is not None and records.of_kind("attempt_started"):
        return ConfigError(f"Rank {wanted.rank} of run {run.name} has no log yet.", remedy=follow)
    if wanted.stage == "prepare":
        return ConfigError(
            f"Run {run.name} has no log of its preparation: where no cluster trains, the command "
            "that starts the run prepares the library itself.",
            remedy=f"see the log of its training: `ftdist logs {run.cli_name}`.",
        )
    if wanted.stage != "train":
        remedy = f"start it: `ftdist {wanted.stage} {run.cli_name}`."
        return ConfigError(f"{what}: it was not asked for.", remedy=remedy)
    if status.state == "new":
        remedy = f"start it: `ftdist resume {run.cli_name}`."
        return ConfigError(f"{what}: it was never started.", remedy=remedy)
    return ConfigError(f"{what}.", remedy=follow)


_WHAT = {
    "prepare": "preparation",
    "train": "training",
    "export": "export",
    "compare": "comparison",
    "blend": "blending",
}


def _refuse_what_is_not(records: Records, wanted: LogSelection) -> None:
    starts = records.of_kind("attempt_started")
    if wanted.attempt is not None:
        numbers = [start["attempt"] for start in starts]
        if wanted.stage != "train":
            raise ConfigError(
                f"--attempt is of training, and stage {wanted.stage} has no attempts.",
                remedy="leave out --attempt or --stage.",
            )
        if wanted.attempt not in numbers:
            count = f"{len(numbers)} attempt{'s' if len(numbers) != 1 else ''}"
            raise ConfigError(
                f"Run {records.name} has had {count}, and there is no attempt {wanted.attempt}.",
                remedy="leave out --attempt for the newest one.",
            )
    if wanted.rank is None:
        return
    ranks = 1 if wanted.stage != "train" else max((s["world_size"] for s in starts), default=None)
    if ranks is not None and wanted.rank >= ranks:
        its = "rank 0 alone" if ranks == 1 else f"ranks 0 to {ranks - 1}"
        raise ConfigError(
            f"There is no rank {wanted.rank}: the {_WHAT[wanted.stage]} of run {records.name} has "
            f"{its}.",
            remedy="name one of them, or leave out --rank.",
        )


def _local(run: RunDir, records: Records, wanted: LogSelection) -> list[LogFile]:
    """Of a run on one's own machine: a folder for each attempt, a process number as the job."""
    if wanted.stage != "train":
        return _newest_job(run.jobs / wanted.stage)
    newest = max((start["attempt"] for start in records.of_kind("attempt_started")), default=0)
    return _newest_job(run.jobs / f"train-{wanted.attempt or newest}")


def _newest_job(folder: Path) -> list[LogFile]:
    jobs: dict[str, list[LogFile]] = {}
    for job, file in _logs_in(folder):
        jobs.setdefault(job, []).append(file)
    return max(jobs.values(), key=_touched, default=[])


def _touched(files: Sequence[LogFile]) -> float:
    return max(file.path.stat().st_mtime for file in files)


def _of_job(folder: Path, job: str) -> list[LogFile]:
    return [file for name, file in _logs_in(folder) if name == job]


def _of_attempt(run: RunDir, records: Records, number: int) -> list[LogFile]:
    """Of a job on a cluster: all its attempts write to the same files, one after another."""
    starts = records.of_kind("attempt_started")
    (place,) = [p for p, start in enumerate(starts) if start["attempt"] == number]
    start, job = starts[place], str(starts[place].get("job"))
    after = next((later for later in starts[place + 1 :] if str(later.get("job")) == job), None)
    folder = next(
        (_folder(run, e) for e in records.of_kind("job_submitted") if str(e["job"]) == job),
        run.jobs / "train",
    )
    files = []
    for file in _of_job(folder, job):
        if file.rank == 0:
            # Batch script and srun write here as well, without stamps; its length is on record.
            end = None if after is None else after.get("log_bytes")
            first = start.get("log_bytes", 0)
            files.append(LogFile(path=file.path, rank=0, start=first, end=end))
            continue
        before = float("inf") if after is None else after["time"]
        files.append(LogFile(path=file.path, rank=file.rank, since=start["time"], before=before))
    return files


def _folder(run: RunDir, submitted: Event) -> Path:
    """Where a job's logs are; beside the run, should it have been moved."""
    named = Path(submitted.get("logs", ""))
    return named if submitted.get("logs") and named.is_dir() else run.jobs / submitted["stage"]


def _logs_in(folder: Path) -> list[tuple[str, LogFile]]:
    found = []
    for path in folder.glob("*_log.out"):
        name = _NAME.fullmatch(path.name)
        if name is not None:
            found.append((name["job"], LogFile(path=path, rank=int(name["rank"]))))
    return found
