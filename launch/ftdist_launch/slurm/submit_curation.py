"""Submit a curation to SLURM.

    ROOT/.jobs/NAME/  curation.json   its configuration
                      code/           a snapshot of the code
                      jobs/curate/    logs

The job belongs to no run. If SLURM requeues it, it continues from its cache.
"""

import dataclasses
import json
from pathlib import Path

from ftdist.config.schema.curate import CurateConfig
from ftdist.errors import ConfigError
from ftdist.io.jsonl import write_whole
from ftdist.rundir import RunDir
from ftdist_launch.local.submit import private_umask
from ftdist_launch.setup.code_snapshot import take_snapshot
from ftdist_launch.slurm.client import Queue, refuse_without_slurm
from ftdist_launch.slurm.run_jobs import queued_jobs
from ftdist_launch.slurm.sbatch import CURATION, JobRequest, gpus_of, script
from ftdist_launch.slurm.submit import submit_request


def submit_curation(config: CurateConfig, *, queue: Queue) -> tuple[str, Path]:
    """Submit a curation to SLURM.

    Returns:
        The job number, and the log that the job will write.

    Raises:
        ConfigError: this machine has no SLURM, or another job already curates this library.
        SlurmError: SLURM rejects the job.
        StorageError: its files cannot be written.
    """
    refuse_without_slurm()
    name = config.library.name
    work = RunDir(Path(config.library.root).expanduser().absolute() / ".jobs" / name)
    if jobs := list(queued_jobs(work, queue=queue)):
        raise ConfigError(
            f"Job {jobs[0]} already curates the library {name}.",
            remedy=f"wait for it, or cancel it: `scancel {jobs[0]}`.",
        )
    request = JobRequest(
        stage="curate",
        runs=(work,),
        cluster=config.cluster,
        private=config.library.private,
        gpus_per_node=gpus_of("curate", config.cluster),
        name=name,
    )
    queue.check_script(script(request))
    with private_umask(private=config.library.private):
        (work.attempts / "curate").mkdir(parents=True, exist_ok=True)
        take_snapshot(work)
        write_whole(work.root / CURATION, json.dumps(dataclasses.asdict(config)))
        (job,) = submit_request(request)
    work.append_event("job_submitted", stage="curate", job=job)
    return job, request.folder / f"{job}_0_log.out"
