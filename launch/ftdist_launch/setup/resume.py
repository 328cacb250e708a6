"""The config and plan of a run that continues (`ftdist resume`)."""

import dataclasses
from pathlib import Path

from ftdist.checkpoint.room import planned_room, require_room
from ftdist.checkpoint.run_identity import refuse_changed_run
from ftdist.checkpoint.vanished import refuse_vanished
from ftdist.config.schema import RunConfig
from ftdist.data.packed_checksums import find_damage
from ftdist.errors import DataError
from ftdist.io.progress import LogFn
from ftdist.plan.dataset_info import PackedDatasetInfo
from ftdist.plan.plan import Plan
from ftdist.rundir import RunDir
from ftdist_launch.setup.identity import describe_code
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


def replan(run: RunDir, config: RunConfig, *, log: LogFn) -> tuple[RunConfig, Plan]:
    """The config and plan of a run that continues.

    Args:
        run: to continue.
        config: of the run, with the keys of `MAY_CHANGE` and `resume` that the user overrides.
        log: for messages to the user.

    Returns:
        Both; the config has the keys of `resume` yet, for `write_plan`.

    Raises:
        FtdistError: everything that keeps the run from continuing.
    """
    if not config.resume.restart:
        refuse_vanished(run)
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
    refuse_changed_run(run, config, before, accept=config.resume.accept)
    for note in filter(None, (describe_code(run), *machine_notes(config, machine=machine))):
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


def _library(config: RunConfig, before: Plan, *, log: LogFn) -> PackedDatasetInfo:
    """The packed library of the run; packed again where the cache was cleared or is damaged.

    Raises:
        DataError: it would be packed in another way: its source has changed.
    """
    folder, checksum = Path(before.library.path), before.library.checksum
    damage = find_damage(folder, checksum=checksum) if folder.is_dir() else ["it is gone"]
    if not damage:
        return before.library
    log(f"Packing the library again, because of {folder}: {'; '.join(damage)}.")
    data = resolve_library(config.library, log=log, recorded=True)
    library = prepare_library(dataclasses.replace(config, library=data))
    if (library.key, library.checksum) == (before.library.key, checksum):
        return dataclasses.replace(before.library, path=library.path)
    if "library" not in config.resume.accept:
        raise DataError(
            f"The library in {config.library.path} is not the one that the run started with.",
            remedy="put the old one back, start a new run with `ftdist train`, or continue with "
            "this one: resume.accept=[library].",
        )
    return library
