"""The config and plan of a run that continues (`ftdist resume`)."""

import dataclasses
from pathlib import Path

from ftdist.checkpoint.room import planned_room, require_room
from ftdist.config.keys import TRAINING_EVAL_KEYS
from ftdist.config.saved_config import load_config
from ftdist.config.schema import RunConfig
from ftdist.errors import DataError
from ftdist.io.progress import LogFn
from ftdist.plan.dataset_info import PackedDatasetInfo
from ftdist.plan.plan import Plan
from ftdist.rundir import RunDir
from ftdist_launch.setup.machine_plan import plan_again, run_device
from ftdist_launch.setup.preflight import (
    Machine,
    machine_notes,
    measure_problems,
    model_problems,
    raise_together,
)
from ftdist_launch.setup.resolve_data import resolve_eval, resolve_library
from ftdist_launch.setup.run_setup import (
    executor_problems,
    prepare_library,
    read_plan,
)

MAY_CHANGE = (
    "cluster.",
    "tracking.",
    "checkpoint.",
    "export.",
    "early_stopping.",
    *TRAINING_EVAL_KEYS,
    "train.max_skipped_steps",
    "train.loss_spike",
    "train.loss_spike_threshold",
    "train.rollback_steps",
    "train.max_rollbacks",
    "train.compare_ranks_every_steps",
    "batch.allow_uneven",
    "batch.micro_batch_size",
    "batch.sequence_parallel_size",
    "model.activation_checkpointing",
    "model.activation_offload",
    "model.mlp_tiles",
    "engine.offload_optimizer",
    "engine.offload_parameters",
)
"""Keys and prefixes of keys that `ftdist resume` takes: they do not change what a run computes."""


def replan(run: RunDir, config: RunConfig, *, log: LogFn) -> tuple[RunConfig, Plan]:
    """The config and plan of a run that continues.

    Args:
        run: to continue.
        config: of the run, with the keys of `MAY_CHANGE` that the user overrides.
        log: for messages to the user.

    Raises:
        FtdistError: everything that keeps the run from continuing.
    """
    before = read_plan(run)
    # The Hub's cache may have been cleared.
    config = dataclasses.replace(config, eval=resolve_eval(config.eval, log=log))
    machine = Machine.here()
    raise_together(
        [
            *model_problems(Path(config.model.path)),
            *measure_problems(config),
            *executor_problems(config, machine=machine),
        ]
    )
    for note in machine_notes(config, machine=machine):
        log(note)
    world_size = config.cluster.world_size
    if world_size // config.batch.sequence_parallel_size != before.data_parallel_size:
        # A step keeps its sequences; some ranks may get one fewer of them.
        config = dataclasses.replace(
            config, batch=dataclasses.replace(config.batch, allow_uneven=True)
        )
    if world_size != before.world_size:
        log(f"Continuing with {world_size} ranks instead of {before.world_size}.")
    config, plan = plan_again(
        config,
        before,
        library=_library(config, before, log=log),
        device=run_device(config, machine=machine),
    )
    require_room(run.checkpoints, planned_room(plan.checkpoint_gib, world_size=world_size))
    return config, plan


def read_config(run: RunDir) -> RunConfig:
    """The config of a run.

    Raises:
        StorageError: the file cannot be read, or is damaged.
        ConfigError: it is not a config of this version.
    """
    copy = run.attempt(run.newest_attempt()) / "config.yaml"
    remedy = f"copy {copy} there." if copy.is_file() else "restore it from a backup."
    return load_config(run.config, remedy=remedy)


def _library(config: RunConfig, before: Plan, *, log: LogFn) -> PackedDatasetInfo:
    """The packed library of the run; packed again where the cache was cleared."""
    if Path(before.library.path).is_dir():
        return before.library
    data = resolve_library(config.library, log=log, recorded=True)
    library = prepare_library(dataclasses.replace(config, library=data))
    if library.key != before.library.key:
        raise DataError(
            f"The library in {config.library.path} is not the one that the run started with.",
            remedy="put the old one back, or start a new run with `ftdist train`.",
        )
    return library
