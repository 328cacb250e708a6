"""A curation as a job of a cluster.

    ROOT/.jobs/NAME/  curation.json   what was asked
                      code/           the code that does it
                      jobs/curate/    logs

It is no part of a run. Started again by SLURM, it goes on from its cache.
"""

import dataclasses
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from ftdist.config.schema.curate import CurateConfig
from ftdist.errors import ConfigError
from ftdist.io.jsonl import write_whole
from ftdist.rundir import RunDir
from ftdist_launch import entrypoints as jobs
from ftdist_launch.code_snapshot import take_snapshot
from ftdist_launch.local.submit import outside_any_job, private_umask
from ftdist_launch.slurm.client import Queue, SlurmError
from ftdist_launch.slurm.sbatch import CURATION, JobRequest, executor_of, gpus_of, script


@dataclass(frozen=True, kw_only=True)
class SubmittedCuration:
    """A curation that SLURM has taken."""

    job: str
    log: Path


def submit_curation(config: CurateConfig, *, queue: Queue) -> SubmittedCuration:
    """Hand a curation to SLURM.

    Raises:
        ConfigError: there is no SLURM here, or a job makes this library already.
        SlurmError: SLURM does not take the job.
        StorageError: the disk does not take its files.
    """
    from submitit.core.utils import FailedJobError

    if not shutil.which("sbatch"):
        raise ConfigError(
            "cluster.executor=slurm, but sbatch cannot be found on this machine.",
            remedy="work on a login node of the cluster, or set cluster=local.",
        )
    name = config.library.name
    work = RunDir(Path(config.library.root).expanduser().absolute() / ".jobs" / name)
    _refuse_second(work, name=name, queue=queue)
    request = JobRequest(
        stage="curate",
        runs=(work,),
        cluster=config.cluster,
        private=config.library.private,
        gpus_per_node=gpus_of("curate", config.cluster),
        name=name,
    )
    queue.check_script(script(request, function=jobs.curate))
    with private_umask(private=config.library.private):
        for folder in (request.folder, work.attempts / "curate"):
            folder.mkdir(parents=True, exist_ok=True)
        take_snapshot(work)
        write_whole(work.root / CURATION, json.dumps(dataclasses.asdict(config)))
        try:
            with outside_any_job():
                taken = executor_of(request).submit(jobs.curate, str(work.root))
        except (FailedJobError, OSError) as error:
            raise SlurmError(
                f"SLURM did not take the job: {' '.join(str(error).split())[-500:]}",
                remedy="change what it names, then ask again; nothing of it is in the queue.",
            ) from error
    job = str(taken.job_id)
    write_whole(work.root / "job.txt", job + "\n")
    return SubmittedCuration(job=job, log=request.folder / f"{job}_0_log.out")


def _refuse_second(work: RunDir, *, name: str, queue: Queue) -> None:
    try:
        before = (work.root / "job.txt").read_text(encoding="utf-8").strip()
    except OSError:
        return
    if before in queue.states([before]):
        raise ConfigError(
            f"Job {before} makes the library {name} already.",
            remedy=f"wait for it, or end it: `scancel {before}`.",
        )
