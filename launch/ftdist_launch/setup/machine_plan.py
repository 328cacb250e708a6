"""The part of a plan that depends on the machines: device, memory, and the engine's settings."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

from ftdist.config.schema import RunConfig
from ftdist.errors import ConfigError
from ftdist.io.progress import LogFn
from ftdist.io.units import format_gib
from ftdist.plan.dataset_info import PackedDatasetInfo
from ftdist.plan.engine_choice import reopen
from ftdist.plan.fit import USABLE, change_that_fits, check_fits
from ftdist.plan.hardware import Hardware, find_hardware
from ftdist.plan.model_info import ModelInfo, read_model_info
from ftdist.plan.plan import Plan
from ftdist.plan.planner import plan_with_choices
from ftdist_launch.setup.preflight import Machine
from ftdist_launch.slurm.preflight import MAX_THREADS


def run_device(config: RunConfig, *, machine: Machine) -> Literal["cpu", "cuda"]:
    """The device of the ranks; on a cluster whose GPUs are not counted yet, assume cuda."""
    if config.cluster.device != "auto":
        return config.cluster.device
    if config.cluster.executor == "slurm":
        return "cpu" if config.cluster.gpus_per_node == 0 else "cuda"
    return "cuda" if machine.gpus else "cpu"


def with_threads(
    config: RunConfig, *, machine: Machine, device: Literal["cpu", "cuda"]
) -> RunConfig:
    """The config with this machine's cores shared by ranks on its GPUs, if it names no number.

    With the optimizer in host memory, they compute its step.
    """
    cluster = config.cluster
    if cluster.executor != "local" or device == "cpu" or cluster.cpus_per_task is not None:
        return config
    threads = max(1, min(MAX_THREADS, machine.cores // cluster.tasks_per_node))
    return replace(config, cluster=replace(cluster, cpus_per_task=threads))


def check_memory(
    config: RunConfig, plan: Plan, *, hardware: Hardware, model: ModelInfo, log: LogFn
) -> None:
    """Refuse a run that does not fit its GPUs; warn if it barely fits, on assumed GPUs and CPUs.

    Raises:
        ConfigError: it does not fit.
    """
    if hardware.memory_gib is None:
        return
    if hardware.gpu is None:
        if plan.device_gib > hardware.memory_gib:
            log(
                f"Warning: a rank on CPUs needs about {format_gib(plan.device_gib)} of memory, and "
                f"has {format_gib(hardware.memory_gib)} of its node's. To plan for GPUs, name "
                "them: cluster.gpu=H100 cluster.device=cuda."
            )
        return
    try:
        check_fits(plan, hardware.memory_gib, config=config, model=model)
    except ConfigError as error:
        if not hardware.is_assumed:
            raise
        log(f"Warning: the GPU is {hardware.basis}. {error}")
        return
    needed = plan.device_gib + plan.outside_gib
    if needed > USABLE * hardware.memory_gib and not hardware.is_assumed:
        log(
            f"Warning: a rank needs about {format_gib(needed)} of the GPU's "
            f"{format_gib(hardware.memory_gib)}; above {USABLE:.0%} it may run out of memory. "
            f"To be safe, {change_that_fits(config, plan, hardware.memory_gib, model=model)}"
        )


def plan_again(
    config: RunConfig, before: Plan, *, library: PackedDatasetInfo, device: Literal["cpu", "cuda"]
) -> tuple[RunConfig, Plan]:
    """The config and plan of a run that has a plan, for the machines that it now has.

    Where those differ from the ones it was planned for, the plan chooses the engine's keys again.
    The length of the run is fixed: a newer formula must not change it.
    """
    model = read_model_info(Path(config.model.path))
    has_moved = (
        before.world_size != config.cluster.world_size
        or before.device != device
        or before.hardware != find_hardware(config.cluster, device=device).basis
    )
    if before.choices and has_moved:
        config = reopen(config, before.choices)
    config, plan, _ = plan_with_choices(config, model=model, library=library, device=device)
    fixed = [each for each in before.choices if each.key not in {c.key for c in plan.choices}]
    return config, replace(
        plan,
        choices=(*plan.choices, *fixed),
        steps=before.steps,
        epochs=before.epochs,
        tokens=before.tokens,
    )
