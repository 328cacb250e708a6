"""Undo a submission that failed halfway, without harm to jobs that SLURM accepted."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from ftdist.io.jsonl import write_whole
from ftdist.rundir import RunDir
from ftdist_launch.slurm.client import Queue, SlurmError
from ftdist_launch.slurm.sbatch import Stage, jobs_folder


@contextmanager
def roll_back_on_failure(
    runs: Sequence[RunDir], *, new: bool, stage: Stage = "train", queue: Queue
) -> Iterator[None]:
    """Within it, submit jobs of runs whose lock is held. If that fails, cancel them.

    A new run is removed if SLURM certainly accepted no job of it. Other runs get back their files,
    if no job that reads the new ones is left, and the event `submit_failed`.

    Args:
        runs: all of them at the end of the block.
        new: whether this process made them.
        stage: the first one that is submitted.
        queue: of the cluster.
    """
    before = {
        path: path.read_text(encoding="utf-8")
        for run in runs
        for path in (run.config, run.plan, run.expert, run.curation)
        if path.is_file()
    }
    known = _recorded_jobs(runs)
    try:
        yield
    except BaseException as error:
        is_certain, jobs = False, list[str]()
        with suppress(SlurmError):
            jobs = sorted(_recorded_jobs(runs) - known | _accepted_jobs(runs, queue=queue) - known)
            queue.cancel(jobs)
            is_certain = True
        if new and is_certain and not jobs and not known:
            for run in runs:
                shutil.rmtree(run.root, ignore_errors=True)  # this frees its name
            raise
        for path, text in before.items() if is_certain else ():
            with suppress(OSError):  # a full disk may be what failed
                write_whole(path, text)
        cause = str(error).partition("\n")[0] or "It was interrupted."
        for run in runs:
            run.record_event("submit_failed", stage=stage, cause=cause)
        raise


def _recorded_jobs(runs: Sequence[RunDir]) -> set[str]:
    """Numbers of the jobs of runs, those of whole arrays."""
    events = (event for run in runs for event in run.read_events())
    return {e["job"].partition("_")[0] for e in events if e.get("event") == "job_submitted"}


def _accepted_jobs(runs: Sequence[RunDir], *, queue: Queue) -> set[str]:
    """Those in the queue: `sbatch` may time out after SLURM has accepted a job."""
    return set(queue.commented(str(jobs_folder(runs)))) if runs else set()
