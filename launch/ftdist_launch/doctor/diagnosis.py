"""All checks of `ftdist doctor`, in order, and the cluster file that follows from them."""

import getpass
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ftdist.doctor.node_report import NodeReport
from ftdist.errors import ConfigError
from ftdist.io.progress import LogFn
from ftdist_launch.doctor.cluster_config import JobOptions, cluster_config
from ftdist_launch.doctor.cluster_file import Software, cluster_name, cluster_yaml
from ftdist_launch.doctor.commands import run_command
from ftdist_launch.doctor.finding import Finding
from ftdist_launch.doctor.gpu_checks import Expected
from ftdist_launch.doctor.machine_checks import machine_checks
from ftdist_launch.doctor.node_checks import interface_words, network_interface, node_checks
from ftdist_launch.doctor.partitions import PartitionChoice, choose
from ftdist_launch.doctor.probe_job import probe_here, probe_nodes
from ftdist_launch.doctor.service_checks import hub_checks, wandb_checks
from ftdist_launch.doctor.slurm_checks import slurm_checks
from ftdist_launch.doctor.slurm_facts import ClusterFacts, read_cluster
from ftdist_launch.doctor.software import containers, modules
from ftdist_launch.doctor.storage_checks import storage_checks
from ftdist_launch.slurm.client import Queue

NO_SLURM = "There is no SLURM on this machine: only the machine itself was checked."


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the user asks of the doctor."""

    options: JobOptions = field(default_factory=JobOptions)
    root: Path = Path("runs")
    name: str | None = None
    """Of the cluster file; None: SLURM's ClusterName."""

    check_nodes: bool = True
    wait_s: float = 60.0
    """How long a job may wait for nodes."""


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """What the doctor found."""

    has_slurm: bool
    findings: tuple[Finding, ...]
    name: str | None = None
    """Of the cluster file; None: there is nothing to write."""

    cluster_file: str | None = None
    """Its text."""

    nodes: tuple[NodeReport, ...] = ()


def diagnose(request: Request, *, log: LogFn) -> Diagnosis:
    """Check this machine, its file systems, services, cluster and compute nodes.

    Raises:
        FtdistError: a key is wrong, or there is no such partition.
    """
    folder, user = existing(request.root), getpass.getuser()
    if shutil.which("sinfo") is None:
        reports = probe_here(folder, log=log) if request.check_nodes else []
        findings = [*_login_checks(folder, user=user, cluster=False, shared=False)]
        findings += node_checks(reports, _HERE)
        return Diagnosis(has_slurm=False, findings=tuple(findings), nodes=tuple(reports))
    facts = read_cluster(run_command, user=user)
    name, choice = cluster_name(facts, request.name), choose_partition(facts, request.options)
    found: list[Finding] = []
    reports = []
    if choice is not None and request.check_nodes:
        config = cluster_config(request.options, choice)
        found, reports = probe_nodes(
            config, choice, folder=folder, queue=Queue(), wait_s=request.wait_s, log=log
        )
    shared = bool(reports) and not any(f.name == "shared folder" and f.level != "ok" for f in found)
    findings = [*_login_checks(folder, user=user, cluster=True, shared=shared)]
    findings += [*slurm_checks(facts, choice), *found]
    diagnosis = Diagnosis(has_slurm=True, findings=tuple(findings), nodes=tuple(reports))
    if choice is None:
        return diagnosis
    text = cluster_yaml(
        facts, choice, software=_software(reports), name=name, today=time.strftime("%Y-%m-%d")
    )
    return replace(diagnosis, name=name, cluster_file=text)


def _login_checks(folder: Path, *, user: str, cluster: bool, shared: bool) -> Iterator[Finding]:
    """The checks of this machine, the folder of runs, W&B and the Hub."""
    yield from machine_checks(cluster=cluster)
    yield from storage_checks(
        folder,
        run=run_command,
        user=user,
        environment=os.environ,
        cluster=cluster,
        shared=shared,
    )
    yield from wandb_checks(os.environ)
    yield from hub_checks(os.environ, cluster=cluster)


def choose_partition(facts: ClusterFacts, options: JobOptions) -> PartitionChoice | None:
    """The partition that the user names by a flag, a key or a cluster file, or the best one.

    Raises:
        ConfigError: there is no partition of that name, or a key is wrong.
    """
    wanted = options.partition
    if options.overrides:
        wanted = cluster_config(options, None).partition
    if wanted is None and options.names_cluster:  # a file without a partition means SLURM's default
        wanted = next((each.name for each in facts.partitions if each.is_default), None)
    names = [partition.name for partition in facts.partitions]
    if wanted is not None and names and wanted not in names:
        raise ConfigError(
            f"There is no partition {wanted} on this cluster.",
            remedy=f"name one of {', '.join(names)}.",
        )
    return choose(facts, wanted=wanted)


def existing(folder: Path) -> Path:
    """A folder, or its nearest parent that exists."""
    path = folder.expanduser().absolute()
    return next(each for each in (path, *path.parents) if each.is_dir())


def _software(reports: Sequence[NodeReport]) -> Software:
    return Software(
        modules=modules(run_command),
        containers=containers(run_command),
        interface=network_interface(reports),
        interfaces=tuple(interface_words(reports[0])) if reports else (),
        gpu=next((gpu.name for report in reports for gpu in report.gpus), None),
        has_cuda=all(report.cuda_devices for report in reports) if reports else None,
    )


_HERE = Expected(hosts=(), token="", started_s=0.0, ended_s=0.0, gpus=0, cluster=False, folder="")
"""What is expected of the report of this machine."""
