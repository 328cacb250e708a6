"""`ftdist doctor --nodes N`: measure nodes together, in one job or on this machine."""

import getpass
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ftdist.dist.visible_gpus import visible_gpus
from ftdist.doctor.measurements import ERROR, STARTED, Measurements, read_measurements
from ftdist.errors import ConfigError, FtdistError
from ftdist.io.progress import LogFn
from ftdist.io.units import format_count
from ftdist_launch.doctor.cluster_config import JobOptions, cluster_config
from ftdist_launch.doctor.commands import run_command
from ftdist_launch.doctor.diagnosis import choose_partition, existing
from ftdist_launch.doctor.finding import Finding
from ftdist_launch.doctor.gpu_checks import Expected
from ftdist_launch.doctor.node_checks import node_checks
from ftdist_launch.doctor.node_job import JobEnd, NodeJob, last_lines, run_job
from ftdist_launch.doctor.partitions import PartitionChoice
from ftdist_launch.doctor.probe_job import expect, job_failed, job_problem, token_file
from ftdist_launch.doctor.slow_nodes import measured_findings
from ftdist_launch.doctor.slurm_facts import read_cluster
from ftdist_launch.doctor.storage import scratch
from ftdist_launch.local.submit import import_path
from ftdist_launch.slurm.client import Queue, SlurmError

RANKS = "ftdist.doctor.ranks"
JOB_MIN, JOB_MIN_PER_NODE = 15, 1
LOCAL_S = 300.0


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What was measured, and what it means."""

    findings: tuple[Finding, ...]
    measurements: Measurements | None = None
    exclude: tuple[str, ...] = ()
    """Nodes that are slow or wrong."""


def measure_nodes(
    options: JobOptions, *, nodes: int, root: Path, wait_s: float, log: LogFn
) -> Measured:
    """Measure some nodes: through SLURM, or this machine alone without it.

    Args:
        options: partition, account and keys of the job.
        nodes: how many.
        root: folder of runs; its file system is measured too.
        wait_s: how long the job may wait for nodes.
        log: gets messages about the wait.

    Raises:
        FtdistError: a key is wrong, or there are not so many nodes.
        OSError: the folder cannot be written.
    """
    folder = existing(root)
    if shutil.which("sinfo") is None:
        if nodes > 1:
            raise ConfigError(
                f"--nodes {nodes} needs SLURM, which this machine does not have.",
                remedy="run it on a login node, or use --nodes 1.",
            )
        return _measure_here(folder, log=log)
    facts = read_cluster(run_command, user=getpass.getuser())
    choice = choose_partition(facts, options)
    if choice is None:
        reason = facts.unread.get("sinfo")
        raise SlurmError(
            f"SLURM does not answer: {reason}."
            if reason
            else "No partition is up, has usable nodes, and admits your accounts.",
            remedy="see `ftdist doctor --no-nodes`.",
        )
    if nodes > choice.partition.usable:
        raise ConfigError(
            f"--nodes {nodes}, but partition {choice.partition.name} has "
            f"{format_count(choice.partition.usable, 'usable node')}.",
            remedy=f"use --nodes {choice.partition.usable}, or name another --partition.",
        )
    return _measure_cluster(options, choice, nodes=nodes, folder=folder, wait_s=wait_s, log=log)


def _measure_cluster(
    options: JobOptions,
    choice: PartitionChoice,
    *,
    nodes: int,
    folder: Path,
    wait_s: float,
    log: LogFn,
) -> Measured:
    config = cluster_config(options, choice)
    gpus = choice.kind.gpu_count if config.device != "cpu" else 0
    if config.gpus_per_node is not None:
        gpus = min(gpus, config.gpus_per_node)
    tasks = gpus or (2 if nodes == 1 else 1)
    log(f"Measuring {format_count(nodes, 'node')} of {config.partition}, in one job ...")
    with scratch(folder) as tmp, token_file(tmp) as token:
        job = NodeJob(
            folder=tmp,
            module=RANKS,
            arguments=(str(tmp), config.local_cache_dir),
            nodes=nodes,
            tasks_per_node=tasks,
            gpus_per_node=gpus,
            timeout_min=JOB_MIN + JOB_MIN_PER_NODE * nodes,
            cluster=replace(config, cpus_per_task=config.cpus_per_task or 1),
        )
        try:
            end = run_job(job, queue=Queue(), wait_s=wait_s, log=log)
        except SlurmError as error:
            return Measured(findings=(job_failed(error.problem, remedy=error.remedy),))
        measured = read_measurements(tmp)
        if measured is None:
            return Measured(findings=(no_result(end, tmp, wait_s=wait_s),))
    return _judge(measured, expect(end, token=token, gpus=gpus, folder=folder))


def no_result(end: JobEnd, folder: Path, *, wait_s: float) -> Finding:
    """Why a job left no measurements.

    Args:
        end: of the job.
        folder: with what the ranks wrote.
        wait_s: how long the job was allowed to wait for nodes.
    """
    started = {_host(path): path.read_text() for path in folder.glob(f"{STARTED}-*.*")}
    silent = sorted(set(end.hosts) - set(started)) if started else []
    if end.state != "WAITING" and silent:
        lines = "; ".join(last_lines(end.log))
        found = f"no rank started on {', '.join(silent)}; the job ended as {end.state}: {lines}"
        return job_failed(found, remedy=_leave_out(silent))
    on_cpus = sorted(host for host, device in started.items() if device == "cpu")
    if on_cpus and len(on_cpus) < len(started):
        found = f"torch sees no GPU on {', '.join(on_cpus)}, but on the other nodes"
        return job_failed(found, remedy=_leave_out(on_cpus))
    # The first to fail is the cause; the others fail because of it.
    errors = sorted(folder.glob(f"{ERROR}-*.*"), key=lambda path: path.stat().st_mtime_ns)
    if errors:
        first = _host(errors[0])
        return job_failed(f"{first}: {errors[0].read_text()}", remedy=_leave_out([first]))
    problem = job_problem(end, has_reports=False, wait_s=wait_s, folder=str(folder.parent))
    assert problem is not None, "there are no reports"
    return problem


def _host(path: Path) -> str:
    return path.name.partition(".")[2]


def _leave_out(hosts: Sequence[str]) -> str:
    return f"set cluster.exclude={','.join(hosts)}, and report the nodes"


def _judge(measured: Measurements, expected: Expected) -> Measured:
    findings = node_checks(measured.reports, expected)
    found, exclude = measured_findings(measured)
    broken = {
        report.host
        for report in measured.reports
        for finding in findings
        if finding.name == "GPU health" and finding.found.startswith(f"{report.host} ")
    }
    return Measured(
        findings=(*findings, *found),
        measurements=measured,
        exclude=tuple(sorted({*exclude, *broken})),
    )


def _measure_here(folder: Path, *, log: LogFn) -> Measured:
    """Measure this machine with a process per GPU, or two on CPUs."""
    ranks = len(visible_gpus()) or 2
    log(f"Measuring this machine with {ranks} processes ...")
    with scratch(folder) as tmp:
        output = _run_here(tmp, ranks=ranks)
        measured = read_measurements(tmp)
    if measured is None:
        lines = "; ".join(last_lines(output)) or "no message"
        raise FtdistError(
            f"The processes ended without a result: {lines}.",
            remedy="repair what it names, and run the command again.",
        )
    expected = Expected(
        hosts=(), token="", started_s=0.0, ended_s=0.0, gpus=0, cluster=False, folder=str(folder)
    )
    return _judge(measured, expected)


def _run_here(folder: Path, *, ranks: int) -> str:
    """Run the ranks, and return what they printed; the first that fails ends the others."""
    log = folder / "ranks.log"
    shared = os.environ | import_path() | {"OMP_NUM_THREADS": "1", "PYTHONSAFEPATH": "1"}
    words = [sys.executable, "-m", RANKS, str(folder), "/tmp"]
    processes = []
    with log.open("w") as file:
        for rank in range(ranks):
            variables = {"FTDIST_DOCTOR_RANK": str(rank), "FTDIST_DOCTOR_RANKS": str(ranks)}
            processes.append(
                subprocess.Popen(
                    words,
                    env=shared | variables,
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=file,
                    start_new_session=True,
                )
            )
        deadline = time.monotonic() + LOCAL_S
        try:
            while any(process.poll() is None for process in processes):
                failed = any(process.poll() not in (None, 0) for process in processes)
                if failed or time.monotonic() > deadline:
                    break
                time.sleep(0.1)
        finally:
            for process in processes:
                process.kill()
                process.wait()
    return log.read_text(encoding="utf-8", errors="replace")
