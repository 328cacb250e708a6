"""Write what is known about a cluster as a config file: `conf/cluster/NAME.yaml`."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from ftdist.errors import ConfigError
from ftdist.io.jsonl import write_whole
from ftdist.io.units import format_count
from ftdist.plan.gpus import find_gpu
from ftdist_launch.doctor.limits import time_limit_min
from ftdist_launch.doctor.partitions import PartitionChoice, preemption
from ftdist_launch.doctor.slurm_facts import ClusterFacts, Gpus, PartitionFacts
from ftdist_launch.slurm.preflight import MAX_THREADS

FOLDER = Path("conf/cluster")
"""In the working directory: where `cluster=NAME` is looked up first."""

DAY_MIN = 1_440

MAX_CPU_TASKS = 16
"""Ranks per node without GPUs."""


@dataclass(frozen=True, kw_only=True)
class Software:
    """What the login node and the compute nodes offer to jobs."""

    modules: tuple[str, ...] = ()
    """Environment modules that a run may need."""

    containers: tuple[str, ...] = ()
    """Of pyxis, enroot, apptainer, singularity."""

    interface: str | None = None
    """The network interface that ranks should use; None: unknown, or the default one."""

    interfaces: tuple[str, ...] = ()
    """All interfaces of a compute node, with their speeds in words."""

    gpu: str | None = None
    """The GPUs of a compute node, as their driver names them; None: unknown."""

    has_cuda: bool | None = None
    """Whether torch sees the GPUs of a compute node; None: not checked."""


def cluster_name(facts: ClusterFacts, wanted: str | None) -> str:
    """The name of the file: the one asked for, else that of the cluster.

    Raises:
        ConfigError: it is not a valid name.
    """
    name = wanted or re.sub(r"[^A-Za-z0-9_.-]", "-", facts.name) or "mine"
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", name) or name in ("local", "slurm"):
        raise ConfigError(
            f"--name {name} cannot be the name of a cluster file.",
            remedy="use letters, digits, _ and -, and neither local nor slurm.",
        )
    return name


def write_cluster_file(text: str, *, name: str, force: bool) -> Path | None:
    """Write the file in the working directory; None: there is one, and it stays.

    Raises:
        OSError: the folder cannot be written.
    """
    path = FOLDER / f"{name}.yaml"
    if path.exists() and not force:
        return None
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, text)
    return path


def cluster_yaml(
    facts: ClusterFacts, choice: PartitionChoice, *, software: Software, name: str, today: str
) -> str:
    """The text of the file; every value has its reason beside it."""
    kind = choice.kind
    tasks = kind.gpu_count or max(1, min(MAX_CPU_TASKS, kind.cpus // MAX_THREADS))
    parts = [
        f"# Cluster {facts.name}, as `ftdist doctor` found it on {today}: cluster={name}.",
        f"# SLURM {facts.version}. Correct what you know better; `ftdist train --help` explains "
        "all keys.",
        "defaults:",
        "  - slurm",
        "  - _self_",
        "",
        *_partition_lines(facts, choice),
        *_account_lines(facts, choice),
        "",
        f"# Nodes of {choice.partition.name}: {_gpus(kind.gpus)}, {kind.cpus} CPUs, "
        f"{kind.memory_mib // 1024:,} GiB.",
        f"tasks_per_node: {tasks}  # {'one per GPU' if kind.gpu_count else 'ranks on CPUs'}",
        f"cpus_per_task: {max(1, min(MAX_THREADS, kind.cpus // tasks))}",
        *_device_lines(kind.gpu_count, software),
        *_gpu_lines(kind.gpus, software),
        *_memory_lines(facts),
        "",
        *_time_lines(facts, choice),
        "",
        *_software_lines(software),
    ]
    return "\n".join(parts) + "\n"


def _partition_lines(facts: ClusterFacts, choice: PartitionChoice) -> list[str]:
    lines = ["# Partitions:"]
    lines += [f"#   {describe_partition(each, facts)}" for each in facts.partitions]
    lines.append(f"partition: {scalar(choice.partition.name)}")
    cpu = choice.cpu_partition
    lines.append(f"cpu_partition: {scalar(cpu.name if cpu else None)}")
    gpu_kinds = {kind.gpus for kind in choice.partition.kinds if kind.gpus}
    if len(gpu_kinds) > 1:
        feature = choice.kind.features[0] if choice.kind.features else None
        lines.append("# The partition mixes kinds of GPUs: a job should get one of them.")
        lines.append(f"constraint: {scalar(feature)}" if feature else "# constraint: FEATURE")
    return lines


def describe_partition(partition: PartitionFacts, facts: ClusterFacts) -> str:
    """One partition in one line."""
    limit = partition.time_limit_min
    kinds = sorted({_gpus(kind.gpus) for kind in partition.kinds})
    rule = preemption(partition, facts)
    words = [
        format_count(partition.nodes, "node"),
        " or ".join(kinds),
        "no time limit" if limit is None else f"at most {limit / 60:g} h",
    ]
    words += ["default"] if partition.is_default else []
    words += [] if partition.is_up else ["down"]
    if rule.mode != "OFF":
        words.append(f"preemptible: {rule.mode.lower()} after {rule.grace_s} s")
    return f"{partition.name}: {', '.join(words)}"


def _account_lines(facts: ClusterFacts, choice: PartitionChoice) -> list[str]:
    accounts = list(dict.fromkeys(each.account for each in facts.associations))
    qos = list(dict.fromkeys(name for each in facts.associations for name in each.qos))
    lines = []
    if len(accounts) > 1:
        lines.append(f"# Your accounts: {', '.join(accounts)}.")
    lines.append(f"account: {scalar(choice.account)}{_default(facts.default_account)}")
    if len(qos) > 1:
        lines.append(f"# Your QOS: {', '.join(qos)}.")
    lines.append(f"qos: {scalar(choice.qos)}")
    return lines


def scalar(name: str | None) -> str:
    """A name as a YAML value, in quotes if it would be read as a number or a truth value."""
    if name is None:
        return "null"
    return name if yaml.safe_load(name) == name else json.dumps(name)


def _default(account: str | None) -> str:
    return f"  # null: {account}" if account else ""


def _device_lines(gpus: int, software: Software) -> list[str]:
    if not gpus:
        return ["device: cpu"]
    if software.has_cuda:
        return ["device: cuda  # a job that sees no GPU ends with an error"]
    reason = "not checked" if software.has_cuda is None else "torch saw none"
    return [f"device: auto  # set cuda once GPUs work on the nodes ({reason})"]


def _gpu_lines(gpus: Sequence[Gpus], software: Software) -> list[str]:
    """What `ftdist plan` chooses the engine's settings for."""
    if not gpus:
        return []
    named = software.gpu or " + ".join(each.kind for each in gpus)
    known = find_gpu(re.sub(r"[_-]", " ", named).upper())
    if known is None:
        return ["gpu: null  # its name, such as H100: `ftdist plan` chooses by it"]
    source = "by its driver" if software.gpu else "by SLURM's name; correct it if wrong"
    lines = [f"gpu: {scalar(named if software.gpu else known.name)}  # {source}"]
    lines.append(f"gpu_memory_gib: null  # null: {known.memory_gib:g}, by its name")
    lines.append(
        "network_gbit_s: null  # of a node, all ports; null: as such GPUs are usually sold"
    )
    return lines


def _memory_lines(facts: ClusterFacts) -> list[str]:
    if "memory" in facts.config.get("SelectTypeParameters", "").lower():
        return ["memory_gib: 0  # all of the node: SLURM's default would be a part of it"]
    return ["memory_gib: null  # SLURM does not divide memory between jobs here"]


def _time_lines(facts: ClusterFacts, choice: PartitionChoice) -> list[str]:
    limit = time_limit_min(facts, choice)
    timeout = DAY_MIN if limit is None else min(limit, DAY_MIN)
    shown = "no limit" if limit is None else f"limit {limit} min"
    rule = preemption(choice.partition, facts)
    lines = [
        f"timeout_min: {timeout}  # of one job ({shown}); a run continues in the next one",
        f"signal_delay_s: {min(600, timeout * 60 // 4)}  # must exceed one step and one save",
    ]
    if rule.mode != "OFF":
        lines.append(f"# Preempted by {rule.by}: {rule.mode.lower()} after {rule.grace_s} s.")
    return lines


def _software_lines(software: Software) -> list[str]:
    lines = []
    if software.interfaces:
        lines.append(f"# Network interfaces of a node: {', '.join(software.interfaces)}.")
    lines.append(f"network_interface: {scalar(software.interface)}")
    if software.modules:
        lines.append(f"# Modules here: {_shown(software.modules)}.")
    lines.append("environment_modules: []")
    if software.containers:
        lines.append(f"# Containers here: {', '.join(software.containers)}.")
    lines.append("container: null" + ("" if "pyxis" in software.containers else "  # needs pyxis"))
    return lines


def _shown(names: Sequence[str], max_names: int = 8) -> str:
    more = f" and {len(names) - max_names} more" if len(names) > max_names else ""
    return ", ".join(names[:max_names]) + more


def _gpus(gpus: Sequence[Gpus]) -> str:
    return " + ".join(f"{each.count} x {each.kind or 'GPU'}" for each in gpus) or "no GPUs"
