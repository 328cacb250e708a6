"""What the first attempt of a job learns on its node: the device, and whether the run fits it."""

import dataclasses
import sys
from pathlib import Path

from ftdist.config.schema import RunConfig
from ftdist.dist.visible_gpus import visible_gpus
from ftdist.plan.hardware import driver_gpu, find_hardware, require_memory_of_instance
from ftdist.plan.model_info import read_model_info
from ftdist.rundir import RunDir
from ftdist_launch.setup.machine_plan import check_memory, plan_again
from ftdist_launch.setup.run_setup import read_plan, write_plan


def resolve_device(run: RunDir, config: RunConfig) -> RunConfig:
    """Replace device `auto` by what was requested or this node has, for the whole run.

    Raises:
        ConfigError: the run does not fit this node's GPUs.
    """
    device = config.cluster.device
    if device == "auto":
        # Where GPUs were requested, a rank that has none ends the attempt.
        device = "cuda" if config.cluster.gpus_per_node or visible_gpus() else "cpu"
    gpu = (config.cluster.gpu or driver_gpu()) if device == "cuda" else None
    if device == "cuda":
        require_memory_of_instance(config.cluster)
    cluster = dataclasses.replace(config.cluster, device=device, gpu=gpu)
    config = dataclasses.replace(config, cluster=cluster)
    before = read_plan(run)
    config, plan = plan_again(config, before, library=before.library, device=device)
    check_memory(
        config,
        plan,
        hardware=find_hardware(config.cluster, device=device),
        model=read_model_info(Path(config.model.path)),
        log=_to_log,
    )
    model = dataclasses.replace(config.model, dtype=plan.dtype)
    config = dataclasses.replace(config, model=model)
    write_plan(run, config=config, plan=plan)
    return config


def _to_log(line: str) -> None:
    sys.stderr.write(f"{line}\n")
