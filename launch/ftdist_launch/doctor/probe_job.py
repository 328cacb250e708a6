"""Have nodes report what they are: one short job, or a process on this machine."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

from ftdist.config.schema import ClusterConfig
from ftdist.doctor.node_report import LOCK, TOKEN, NodeReport, read_reports
from ftdist.errors import FtdistError
from ftdist.io.progress import LogFn
from ftdist.io.units import format_count
from ftdist_launch.doctor.finding import Finding
from ftdist_launch.doctor.gpu_checks import NODES, Expected
from ftdist_launch.doctor.node_checks import node_checks
from ftdist_launch.doctor.node_job import JobEnd, NodeJob, last_lines, run_job
from ftdist_launch.doctor.partitions import PartitionChoice
from ftdist_launch.doctor.storage import scratch
from ftdist_launch.slurm.client import Queue, SlurmError
from ftdist_launch.subprocesses import run_child

PROBE = "ftdist.doctor.probe"
LOCAL_DISK = Path("/tmp")
PROBE_MIN = 5
"""Time limit of the job, minutes: torch takes a minute to import from a slow file system."""


def probe_here(folder: Path, *, log: LogFn) -> list[NodeReport]:
    """The report of this machine; none if its process failed.

    Args:
        folder: writable.
        log: gets the reason of a failure.
    """
    try:
        with scratch(folder) as tmp:
            run_child(PROBE, [str(tmp), str(LOCAL_DISK)])
            return read_reports(tmp)
    except (FtdistError, OSError) as error:
        log(f"This machine could not be looked at: {error}")
        return []


def probe_nodes(
    config: ClusterConfig,
    choice: PartitionChoice,
    *,
    folder: Path,
    queue: Queue,
    wait_s: float,
    log: LogFn,
) -> tuple[list[Finding], list[NodeReport]]:
    """Have one or two nodes of a partition report, with one GPU each.

    Args:
        config: partition, account, modules and environment of the job.
        choice: the partition.
        folder: shared by all nodes, and writable.
        queue: of the cluster.
        wait_s: how long the job may wait for nodes.
        log: gets messages about the wait.

    Returns:
        The findings, and the reports.
    """
    gpus = min(1, choice.kind.gpu_count) if config.device != "cpu" else 0
    nodes = min(2, max(1, sum(kind.idle for kind in choice.partition.kinds)))
    log(f"Running a short job on {format_count(nodes, 'node')} of {config.partition} ...")
    try:
        with scratch(folder) as tmp, token_file(tmp) as token:
            job = NodeJob(
                folder=tmp,
                module=PROBE,
                arguments=(str(tmp), config.local_cache_dir),
                nodes=nodes,
                tasks_per_node=1,
                gpus_per_node=gpus,
                timeout_min=PROBE_MIN,
                cluster=replace(config, memory_gib=None),
            )
            end = run_job(job, queue=queue, wait_s=wait_s, log=log)
            reports = read_reports(tmp)
    except SlurmError as error:
        return [job_failed(error.problem, remedy=error.remedy)], []
    except OSError as error:
        return [
            job_failed(f"{folder} is not writable: {error.strerror}", remedy="set run.root")
        ], []
    problem = job_problem(end, has_reports=bool(reports), wait_s=wait_s, folder=str(folder))
    if problem is not None:
        return [problem], reports
    return node_checks(reports, expect(end, token=token, gpus=gpus, folder=folder)), reports


def expect(end: JobEnd, *, token: str, gpus: int, folder: Path) -> Expected:
    """What the reports of a job should show."""
    return Expected(
        hosts=end.hosts,
        token=token,
        started_s=end.started_s,
        ended_s=end.ended_s,
        gpus=gpus,
        cluster=True,
        folder=str(folder),
    )


@contextmanager
def token_file(folder: Path) -> Iterator[str]:
    """A file with a text that only this call knows, and a lock that is held meanwhile."""
    token = uuid4().hex
    (folder / TOKEN).write_text(token, encoding="utf-8")
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        with suppress(OSError):  # without locks; the check of the file system reports it
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield token
    finally:
        os.close(descriptor)


def job_problem(end: JobEnd, *, has_reports: bool, wait_s: float, folder: str) -> Finding | None:
    """Why a job left nothing to look at; None: it did."""
    if end.state == "WAITING":
        return NODES.warn(
            "job",
            f"not started within {wait_s:.0f} s: {end.reason}",
            consequence="driver, torch and shared folder of the nodes were not checked",
            remedy="repeat it with --wait 60 (minutes), or on another --partition",
        )
    if has_reports:
        return None
    lines = "; ".join(last_lines(end.log))
    if not end.log:
        where = f" on {', '.join(end.hosts)}" if end.hosts else ""
        return NODES.fail(
            "shared folder",
            f"the job ended as {end.state}{where}, and left no log in {folder}",
            consequence="compute nodes do not see this folder: no run works from here",
            remedy="work in a folder of the shared file system, or set run.root",
        )
    return job_failed(
        f"the job ended as {end.state}: {lines}",
        remedy="repair what it names; the Python environment must be visible on the nodes, or set "
        "cluster.python",
    )


def job_failed(found: str, *, remedy: str) -> Finding:
    """A job that could not be submitted, or that failed."""
    return NODES.fail(
        "job",
        found.rstrip("."),
        consequence="runs are rejected or fail in the same way",
        remedy=remedy.rstrip("."),
    )
