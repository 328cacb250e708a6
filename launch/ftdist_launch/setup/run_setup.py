"""Set up a run: resolve paths, run preflight checks, prepare the library, plan, make the folder."""

import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from ftdist.config.resume_keys import NOTHING_ACCEPTED
from ftdist.config.saved_config import dump_config, save_config
from ftdist.config.schema import EvalConfig, RunConfig
from ftdist.config.schema.types import HUB_NAME_PATTERN
from ftdist.errors import ConfigError, FtdistError, StorageError
from ftdist.evaluation.eval_set import NONE
from ftdist.io.jsonl import write_whole
from ftdist.io.progress import LogFn
from ftdist.library.sources.reference import is_hub
from ftdist.plan.dataset_info import PackedDatasetInfo
from ftdist.plan.few_steps import refuse_few_steps
from ftdist.plan.model_info import read_model_info
from ftdist.plan.plan import Plan
from ftdist.plan.planner import plan_with_choices
from ftdist.plan.recipe import describe_choices, resolve_recipe
from ftdist.rundir import RunDir
from ftdist_launch.local.submit import private_umask
from ftdist_launch.setup.identity import record_identity
from ftdist_launch.setup.library_warnings import TINY_FOLDER, library_warnings
from ftdist_launch.setup.machine_plan import check_memory, run_device, with_threads
from ftdist_launch.setup.plan_elsewhere import elsewhere_problems
from ftdist_launch.setup.preflight import (
    Machine,
    check_run,
    disk_problems,
    machine_notes,
    machine_problems,
    raise_together,
    run_dir,
    tracking_problems,
)
from ftdist_launch.setup.resolve_data import EVAL_PATHS, resolve_eval, resolve_library
from ftdist_launch.slurm.client import Queue
from ftdist_launch.slurm.preflight import cluster_problems, save_notes
from ftdist_launch.subprocesses import call_child, run_child

TINY = "tiny"
"""Value of `model.path` and `library.path` for a generated model and library."""


def plan_run(
    config: RunConfig, *, new: bool, log: LogFn, elsewhere: bool = False
) -> tuple[RunConfig, Plan]:
    """Check a run, prepare its library and compute its plan. Writes only to caches.

    Args:
        config: as composed.
        new: whether the run directory must not exist.
        log: for messages to the user.
        elsewhere: whether its cluster or GPUs may be missing here, for a plan alone.

    Returns:
        The config with absolute paths, and its plan.

    Raises:
        FtdistError: any problem that can be found before the run starts.
    """
    config = resolve_paths(config, log=log)
    if new and config.cluster.executor != "local":
        raise ConfigError(
            "`ftdist train` runs on this machine, but the config is for a cluster "
            f"(cluster.executor={config.cluster.executor}).",
            remedy="use `ftdist submit` with the same keys, or leave out cluster=.",
        )
    machine = Machine.here()
    away = elsewhere_problems(config, machine=machine) if elsewhere else None
    problems, note = away or (executor_problems(config, machine=machine), "")
    check_run(config, executor_problems=problems, new=new)
    notes = () if away else machine_notes(config, machine=machine)
    for text in filter(None, (note, *notes, *save_notes(config))):
        log(text)
    library = prepare_library(config)
    for note in library_warnings(config):
        log(note)
    device = run_device(config, machine=machine)
    config = with_threads(config, machine=machine, device=device)
    config, plan = _first_plan(config, library=library, device=device, log=log)
    if new:
        keep = config.checkpoint.keep_latest
        root = run_dir(config).root
        raise_together(list(disk_problems(root, needed_gib=plan.disk_gib, keep_latest=keep)))
    return config, plan


def _first_plan(
    config: RunConfig,
    *,
    library: PackedDatasetInfo,
    device: Literal["cpu", "cuda"],
    log: LogFn,
) -> tuple[RunConfig, Plan]:
    """The config of a new run with numbers in place of `auto`, and its plan.

    Raises:
        ConfigError: the run would have too few steps.
    """
    model = read_model_info(Path(config.model.path))
    chosen = resolve_recipe(config, model=model, library=library)
    recipe = describe_choices(config, chosen)
    chosen, plan, hardware = plan_with_choices(chosen, model=model, library=library, device=device)
    refuse_few_steps(chosen, plan=plan)
    check_memory(chosen, plan, hardware=hardware, model=model, log=log)
    if recipe:
        log(f"Chosen for this library and model: {recipe}")
    return chosen, plan


def executor_problems(config: RunConfig, *, machine: Machine) -> Iterator[FtdistError]:
    """Problems of where the ranks would run: this machine, or a cluster."""
    if config.cluster.executor == "slurm":
        yield from cluster_problems(config, Queue(), new=False)
    else:
        yield from machine_problems(config, machine=machine)
        yield from tracking_problems(config, os.environ)


def resolve_paths(config: RunConfig, *, log: LogFn, weights: bool = True) -> RunConfig:
    """The config with absolute folders in place of `tiny`, hub names and relative paths.

    A run can be resumed from any folder, so its config must not depend on the current one. A model
    of the Hub is pinned to its commit: its branch may move on before the run is resumed.

    Args:
        config: as composed.
        log: for messages to the user.
        weights: whether the model's weights are needed, not its config and tokenizer alone.
    """
    model, library, revision = config.model.path, config.library.path, config.model.revision
    if TINY in (model, library):
        log(f"Creating the tiny model and library in {TINY_FOLDER}, unless they exist.")
        run_child("ftdist.testing.tiny", [str(TINY_FOLDER)])
        model = str(TINY_FOLDER / "model") if model == TINY else model
        library = str(TINY_FOLDER / "library") if library == TINY else library
    if not Path(model).expanduser().exists() and re.fullmatch(HUB_NAME_PATTERN, model):
        log(f"Downloading {model} from the hub, unless it is cached.")
        words = [model, config.model.revision or "", "weights" if weights else "config"]
        downloaded = call_child("ftdist_launch.setup.download_model", words)
        model, revision = downloaded["path"], downloaded["revision"]
    resolved = resolve_library(replace(config.library, path=library), log=log)
    sources = {
        name: replace(source, path=_absolute(source.path))
        for name, source in resolved.extra_sources.items()
    }
    return replace(
        config,
        run=replace(config.run, root=_absolute(config.run.root)),
        model=replace(config.model, path=_absolute(model), revision=revision),
        library=replace(
            resolved,
            path=_absolute(resolved.path),
            extra_sources=sources,
            cache_dir=_absolute(config.library.cache_dir),
        ),
        eval=absolute_paths(resolve_eval(config.eval, log=log)),
    )


def prepare_library(config: RunConfig) -> PackedDatasetInfo:
    """Tokenise and pack the library in a child process, unless it is cached.

    Raises:
        FtdistError: the error of the child.
    """
    with tempfile.TemporaryDirectory(prefix="ftdist-") as folder:
        path = Path(folder) / "config.yaml"
        path.write_text(dump_config(config), encoding="utf-8")
        return PackedDatasetInfo.from_json(
            json.dumps(call_child("ftdist.prepare.main", [str(path)]))
        )


def make_run_dir(
    config: RunConfig,
    *,
    overrides: Sequence[str],
    plan: Plan | None = None,
    on_made: Callable[[RunDir], None] | None = None,
) -> RunDir:
    """Make the run directory; the config is written last, and makes it a run.

    Args:
        config: of the run. It gets the dtype of the plan: `auto` could be another one where the run
            is resumed, on a machine without a GPU for example.
        overrides: as typed.
        plan: of the run; None: its library is not prepared yet.
        on_made: called with the directory before it is a run.
    """
    run = run_dir(config)
    with private_umask(private=config.run.private):
        run.create(private=config.run.private)
        try:
            write_whole(run.overrides, "".join(f"{line}\n" for line in overrides))
            if on_made is not None:
                on_made(run)
            if plan is not None:
                config = replace(config, model=replace(config.model, dtype=plan.dtype))
                record_identity(run, config, plan)
                write_whole(run.plan, plan.to_json() + "\n")
            save_config(config, run.config)
        except BaseException:
            shutil.rmtree(run.root, ignore_errors=True)  # this frees its name
            raise
    return run


def write_plan(run: RunDir, *, config: RunConfig, plan: Plan) -> None:
    """Write the config and plan of the next attempt, and what the run is with them.

    The config first: one whose numbers are `auto` must not have a plan.

    Raises:
        ConfigError: the run is not what it began with: see `record_identity`.
    """
    record_identity(run, config, plan)
    save_config(replace(config, resume=NOTHING_ACCEPTED), run.config)
    write_whole(run.plan, plan.to_json() + "\n")


def write_first_plan(
    run: RunDir, config: RunConfig, *, library: PackedDatasetInfo, log: LogFn
) -> Plan:
    """Plan a run whose library was not prepared when it was submitted, and complete its config.

    The device is the requested one; the first attempt resolves `auto`.

    Raises:
        ConfigError: the run would have too few steps.
    """
    device = run_device(config, machine=Machine.here())
    config, plan = _first_plan(config, library=library, device=device, log=log)
    write_plan(run, config=config, plan=plan)
    return plan


def read_plan(run: RunDir) -> Plan:
    """The plan of the run.

    Raises:
        StorageError: it is missing or corrupt.
    """
    try:
        return Plan.from_json(run.plan.read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise StorageError(
            f"Cannot read {run.plan}: {error}.",
            remedy="restore it from a backup, or start a new run with `ftdist train`.",
        ) from None


def absolute_paths(settings: EvalConfig) -> EvalConfig:
    """The settings with absolute paths."""
    paths = {name: getattr(settings, name) for name in EVAL_PATHS}
    absolute: dict[str, Any] = {
        name: _absolute(path) for name, path in paths.items() if path not in (None, NONE)
    }
    tasks = [_absolute(path) for path in settings.lm_eval_tasks]
    return replace(settings, **absolute, lm_eval_tasks=tasks)


def _absolute(path: str) -> str:
    """The path from the root; a link to a file keeps its name, which tells the file's kind."""
    if is_hub(path):
        return path
    here = Path(path).expanduser()
    return str(here.resolve() if here.is_dir() else here.parent.resolve() / here.name)
