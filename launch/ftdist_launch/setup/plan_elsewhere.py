"""Plan a run on a machine that lacks its cluster or its GPUs."""

from dataclasses import replace

from ftdist.config.schema import RunConfig
from ftdist.errors import ConfigError, FtdistError
from ftdist_launch.setup.preflight import Machine, machine_problems
from ftdist_launch.slurm.client import Queue, SlurmError, refuse_without_slurm
from ftdist_launch.slurm.preflight import time_problems


def elsewhere_problems(
    config: RunConfig, *, machine: Machine
) -> tuple[list[FtdistError], str] | None:
    """Problems that show without the run's machines, and a note of what was not checked.

    Args:
        config: of a run that is planned, not started.
        machine: this one.

    Returns:
        None: the machines of the run can be checked from here.
    """
    cluster = config.cluster
    if cluster.executor == "slurm":
        try:
            refuse_without_slurm()
            Queue().partitions()
        except (ConfigError, SlurmError):
            note = (
                "Note: planned without the cluster, which cannot be reached from here; not "
                "checked: partition, limits, W&B key, shared disk."
            )
            return list(time_problems(config)), note
        return None
    is_named = cluster.gpu is not None or cluster.gpu_memory_gib is not None
    if cluster.device == "cuda" and machine.gpus == 0 and is_named:
        gpu = cluster.gpu or f"GPUs of {cluster.gpu_memory_gib:g} GiB"
        note = f"Note: planned for {gpu}; no GPU is visible here; not checked: GPUs, disk, W&B key."
        there = replace(machine, gpus=cluster.tasks_per_node)
        return list(machine_problems(config, machine=there)), note
    return None
