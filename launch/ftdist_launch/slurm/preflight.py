"""Preflight checks against a SLURM cluster: find what it would reject or never start."""

import os
from collections.abc import Iterator
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

import psutil

from ftdist.config.schema import RunConfig
from ftdist.errors import ConfigError, FtdistError, ModelError, StorageError
from ftdist.io.units import format_count, format_gib
from ftdist.plan.engine_choice import choose_engine
from ftdist.plan.hardware import find_hardware
from ftdist.plan.memory import memory_terms
from ftdist.plan.model_info import read_model_info
from ftdist.plan.recipe import largest_values
from ftdist_launch.setup.preflight import disk_problems, tracking_problems
from ftdist_launch.slurm.client import Partition, Queue, refuse_without_slurm

SAVE_GIB_PER_S = 0.5
"""Assumed write rate of one node to the shared file system, GiB per second."""

MAX_THREADS = 8
"""Maximum default for cluster.cpus_per_task: Python, autograd, network and optimizer offload."""

MANY_STEPS = 10**9
"""In place of the number of steps, while the library is not tokenised."""

VOLATILE = ("tmpfs", "ramfs", "devtmpfs")
"""Types of file systems in memory, which other nodes cannot see."""


def cluster_problems(config: RunConfig, queue: Queue, *, new: bool) -> Iterator[FtdistError]:
    """Problems of a run on the cluster of this login node.

    Args:
        config: of the run.
        queue: of the cluster.
        new: whether its checkpoints are still to be written.
    """
    try:
        refuse_without_slurm()
        partitions = queue.partitions()
    except FtdistError as error:
        yield error
        return
    root = Path(config.run.root)
    yield from partition_problems(config, partitions)
    yield from shared_root_problems(root)
    yield from time_problems(config)
    yield from tracking_problems(config, os.environ)
    if new:
        yield from disk_problems(
            root,
            needed_gib=_terms(config).get("disk_gib", 0.0),
            keep_latest=config.checkpoint.keep_latest,
        )


def partition_problems(config: RunConfig, partitions: list[Partition]) -> Iterator[FtdistError]:
    """Partitions that do not exist or are down, and requests that exceed them."""
    cluster = config.cluster
    names = sorted({partition.name for partition in partitions})
    for key, wanted in (("partition", cluster.partition), ("cpu_partition", cluster.cpu_partition)):
        if wanted is not None and wanted not in names:
            near = get_close_matches(wanted, names, n=1, cutoff=0.5)
            yield ConfigError(
                f"cluster.{key}={wanted} does not exist on this cluster.",
                remedy=f"set it to {near[0] if near else 'one of ' + ', '.join(names)}.",
            )
    kinds = _chosen(partitions, cluster.partition)
    if kinds:
        if not any(kind.is_up for kind in kinds):
            yield ConfigError(
                f"Partition {kinds[0].name} is down.",
                remedy="set cluster.partition to another one, or wait.",
            )
        yield from _limit_problems(config, kinds)
    elif cluster.partition is None:
        yield ConfigError(
            "The cluster has no default partition.",
            remedy=f"set cluster.partition to one of {', '.join(names)}.",
        )


def _limit_problems(config: RunConfig, kinds: list[Partition]) -> Iterator[FtdistError]:
    """Requests that exceed the partition or its nodes."""
    cluster, name = config.cluster, kinds[0].name
    gpus = max(kind.gpus for kind in kinds)
    no_gpus = cluster.device == "cuda" and not gpus
    if no_gpus:
        yield ConfigError(
            f"cluster.device=cuda, but nodes of partition {name} have no GPUs.",
            remedy="set cluster.partition to another one, or set cluster.device=cpu.",
        )
    granted = gpus if cluster.gpus_per_node is None else min(gpus, cluster.gpus_per_node)
    if cluster.device != "cpu" and 0 < granted < cluster.tasks_per_node:
        yield ConfigError(
            f"cluster.tasks_per_node={cluster.tasks_per_node}, but the job gets at most "
            f"{format_count(granted, 'GPU')} per node of partition {name} and each rank needs its "
            "own.",
            remedy=f"set cluster.tasks_per_node to at most {granted}, or cluster.device=cpu.",
        )
    memory_gib = max(kind.memory_mib for kind in kinds) // 1024
    for key, requested, limit, note in (
        ("nodes", cluster.nodes, sum(kind.nodes for kind in kinds), ""),
        ("timeout_min", cluster.timeout_min, kinds[0].time_limit_min, _CONTINUES),
        ("memory_gib", cluster.memory_gib, memory_gib, ", or to 0 for all of it"),
        ("gpus_per_node", None if no_gpus else cluster.gpus_per_node, gpus, ""),
    ):
        if requested is not None and limit is not None and requested > limit:
            yield ConfigError(
                f"cluster.{key}={requested} exceeds the limit of partition {name}, {limit}.",
                remedy=f"set cluster.{key} to at most {limit}{note}.",
            )
    cores, max_cores = cluster.tasks_per_node * cluster.threads, max(kind.cores for kind in kinds)
    if cores > max_cores:
        remedy = f"set cluster.cpus_per_task to {max(1, max_cores // cluster.tasks_per_node)}"
        if cluster.tasks_per_node > max_cores:
            remedy += f" and cluster.tasks_per_node to at most {max_cores}"
        yield ConfigError(
            f"{cluster.tasks_per_node} tasks of {cluster.threads} threads need {cores} "
            f"cores per node, but nodes of partition {name} have {max_cores}.",
            remedy=f"{remedy}.",
        )


_CONTINUES = "; the run continues in more jobs"


def with_resources(config: RunConfig, partitions: list[Partition]) -> RunConfig:
    """The config with defaults for GPUs and threads from the nodes of the partition.

    A node gets one GPU per task as far as the partition has them.
    """
    cluster = config.cluster
    kinds = _chosen(partitions, cluster.partition)
    cores = min((kind.cores for kind in kinds), default=1)
    threads = cluster.cpus_per_task or max(1, min(MAX_THREADS, cores // cluster.tasks_per_node))
    gpus = cluster.gpus_per_node
    if gpus is None:
        gpus = min(cluster.tasks_per_node, max((kind.gpus for kind in kinds), default=0))
    if cluster.device == "cpu":
        gpus = 0
    return replace(config, cluster=replace(cluster, cpus_per_task=threads, gpus_per_node=gpus))


def shared_root_problems(root: Path) -> Iterator[FtdistError]:
    """A run directory that other nodes cannot see."""
    path = root.resolve()
    mounts = [m for m in psutil.disk_partitions(all=True) if path.is_relative_to(m.mountpoint)]
    kind = max(mounts, key=lambda mount: len(mount.mountpoint)).fstype
    if kind in VOLATILE:
        yield StorageError(
            f"run.root={root} is in the memory of this machine ({kind}), which other nodes "
            "cannot see.",
            remedy="set run.root to a folder on the shared file system.",
        )


def time_problems(config: RunConfig) -> Iterator[FtdistError]:
    """A signal delay that leaves no time to train."""
    cluster = config.cluster
    if cluster.signal_delay_s >= cluster.timeout_min * 60:
        yield ConfigError(
            f"cluster.signal_delay_s={cluster.signal_delay_s} is the whole of cluster.timeout_min="
            f"{cluster.timeout_min}: the job would be asked to stop when it starts.",
            remedy=f"set cluster.signal_delay_s below {cluster.timeout_min * 60}.",
        )


def save_notes(config: RunConfig) -> Iterator[str]:
    """A warning where a job may end before a stop is saved; the disk's rate is only assumed."""
    cluster = config.cluster
    save_s = _save_s(config)
    if cluster.executor != "slurm" or save_s <= cluster.signal_delay_s:
        return
    what = "two checkpoints (the one being written, and the last)"
    if _saves_at_stop(config) == 1:
        what = "one checkpoint"
    yield (
        f"Warning: a stop has to save {what}, about {save_s:.0f} s at {SAVE_GIB_PER_S} GiB per "
        f"second and node, which is assumed, not measured; jobs are asked to stop "
        f"cluster.signal_delay_s={cluster.signal_delay_s} s before their end. If your disk is no "
        f"faster, set cluster.signal_delay_s={2 * save_s:.0f}: twice that time, because the "
        "running step ends first."
    )


def plan_summary(config: RunConfig) -> list[tuple[str, str]]:
    """What is known about a run before its library is tokenised, as rows of a table."""
    cluster, batch, terms = config.cluster, config.batch, _terms(config)
    rows = [
        ("length", _length(config)),
        (
            "one step",
            f"batch.tokens={batch.tokens} in sequences of batch.sequence_length="
            f"{batch.sequence_length}",
        ),
        (
            "ranks",
            f"{cluster.world_size} = {format_count(cluster.nodes, 'node')} x "
            f"{cluster.tasks_per_node}",
        ),
        ("GPUs per node", str(cluster.gpus_per_node or 0)),
        ("time limit per job", f"{cluster.timeout_min} min"),
    ]
    labels = {
        "device_gib": "device memory per rank",
        "host_load_gib": "host memory per rank while loading",
        "checkpoint_gib": "one checkpoint",
        "disk_gib": "disk",
    }
    if terms:
        rows += [(label, f"about {format_gib(terms[name])}") for name, label in labels.items()]
        save = f"about {_save_s(config):.0f} s of {cluster.signal_delay_s} s"
        rows.append(("time to save", save))
    return rows


def _length(config: RunConfig) -> str:
    """The length of training, before the library is tokenised."""
    train = config.train
    if train.steps is not None:
        return format_count(train.steps, "step")
    later = "steps are known once the library is tokenised"
    if train.exposures is not None:
        return f"{train.exposures:g} exposures per answer; {later}"
    if train.epochs is not None:
        return f"{train.epochs:g} epochs; {later}"
    return "chosen once the library is tokenised"


def _chosen(partitions: list[Partition], wanted: str | None) -> list[Partition]:
    """The kinds of nodes of a partition, or of the default one."""
    return [p for p in partitions if (p.is_default if wanted is None else p.name == wanted)]


def _save_s(config: RunConfig) -> float:
    """Estimated seconds of saving at a stop; 0 if the model cannot be read."""
    checkpoint_gib = _terms(config).get("checkpoint_gib", 0.0)
    return _saves_at_stop(config) * checkpoint_gib / (SAVE_GIB_PER_S * config.cluster.nodes)


def _saves_at_stop(config: RunConfig) -> int:
    """Checkpoints that a stop writes: one in the background is finished first."""
    return 2 if config.checkpoint.async_save and config.checkpoint.every_steps else 1


def _terms(config: RunConfig) -> dict[str, float]:
    """Memory and disk estimates; empty if the model cannot be read."""
    try:
        model = read_model_info(Path(config.model.path))
    except ModelError:
        return {}  # reported by another check
    dtype = "bfloat16" if config.model.dtype == "auto" else config.model.dtype
    device: Literal["cpu", "cuda"] = "cuda"
    if config.cluster.device == "cpu" or config.cluster.gpus_per_node == 0:
        device = "cpu"
    chosen, _ = choose_engine(
        largest_values(config, max_position=model.max_position),
        model=model,
        dtype=dtype,
        hardware=find_hardware(config.cluster, device=device),
        uses_reference=bool(config.library.kl_to_base),
    )
    return memory_terms(
        chosen,
        model=model,
        dtype=dtype,
        steps=config.train.steps or MANY_STEPS,
        uses_reference=bool(config.library.kl_to_base),
    )
