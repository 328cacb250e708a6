"""From a command line to a run directory: compose, preflight, prepare the library, plan."""

import json
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from ftdist.config.compose import dump_config
from ftdist.config.schema import EvalConfig, RunConfig
from ftdist.errors import ConfigError, FtdistError, ModelError, StorageError
from ftdist.evaluation.eval_set import NONE
from ftdist.io.jsonl import write_whole
from ftdist.io.progress import LogFn
from ftdist.plan.plan import LibraryFacts, Plan, make_plan, read_model_facts
from ftdist.rundir import RunDir
from ftdist_launch.local.submit import private_umask
from ftdist_launch.preflight import (
    Machine,
    check_plan,
    check_run,
    machine_notes,
    machine_problems,
    run_dir,
)
from ftdist_launch.slurm.client import Queue
from ftdist_launch.slurm.preflight import cluster_problems
from ftdist_launch.subprocesses import call_child, run_child

MADE_ON_THE_SPOT = "tiny"
"""Value of `model.path` and `library.path` that is no folder but is made by us."""

TINY_FOLDER = Path(".cache/ftdist/tiny")

NO_REPLAY_WARNING = (
    "Note: training has no data except the library, so the model may lose other knowledge: "
    "`ftdist curate` with retention=recommended adds replay and out-of-scope samples "
    "(docs/how-to/keep-general-knowledge.md)."
)

HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


@dataclass(frozen=True, kw_only=True)
class PlannedRun:
    """A config whose paths all exist, and what follows from it."""

    config: RunConfig
    plan: Plan


def plan_run(config: RunConfig, *, new: bool, log: LogFn) -> PlannedRun:
    """Check a run, prepare its library and compute its plan. Writes only to caches.

    Args:
        config: as composed.
        new: whether the run directory has to be free.
        log: for sentences that a user should see.

    Raises:
        FtdistError: anything that keeps the run from working, as far as it can be known now.
    """
    config = resolve_paths(config, log=log)
    if new and config.cluster.executor != "local":
        raise ConfigError(
            "`ftdist train` runs on this machine, and the config asks for a cluster "
            f"(cluster.executor={config.cluster.executor}).",
            remedy="write `ftdist submit` with the same keys, or leave out cluster=.",
        )
    machine = Machine.here()
    check_run(config, executor_problems=lambda: executor_problems(config, machine=machine), new=new)
    if config.cluster.executor == "local":
        for note in machine_notes(config, machine=machine):
            log(note)
    library = prepare_library(config)
    for note in library_warnings(config):
        log(note)
    plan = make_plan(
        config,
        model=read_model_facts(Path(config.model.path)),
        library=library,
        device=_device(config, machine=machine),
    )
    if new:
        check_plan(plan, root=run_dir(config).root)
    return PlannedRun(config=config, plan=plan)


def executor_problems(config: RunConfig, *, machine: Machine) -> Iterator[FtdistError]:
    """What is wrong with where the ranks would run: this machine, or a cluster."""
    if config.cluster.executor == "slurm":
        yield from cluster_problems(config, Queue())
    else:
        yield from machine_problems(config, machine=machine)


def output_problems(run: RunDir, *, stage: Literal["compare", "merge"]) -> Iterator[FtdistError]:
    """What keeps results from being written, told before models are loaded."""
    place, what = (run.report, "answers") if stage == "compare" else (run.merge, "merged models")
    for folder in (run.root, run.jobs, run.attempts, place):
        if not os.path.lexists(folder):
            continue  # it is made, in the run's own
        if not folder.is_dir():
            holds = what if folder == place else "records"
            yield StorageError(
                f"{folder} is no folder, and the {holds} of run {run.name} belong there.",
                remedy="move it elsewhere, then ask again.",
            )
        elif not os.access(folder, os.W_OK | os.X_OK):
            yield StorageError(
                f"The folder {folder} is not writable.",
                remedy="give yourself the right to write there, or ask whose it is to do this.",
            )


def _device(config: RunConfig, *, machine: Machine) -> Literal["cpu", "cuda"]:
    """The device of the ranks; of a cluster whose GPUs are not counted yet, likely cuda."""
    if config.cluster.device != "auto":
        return config.cluster.device
    if config.cluster.executor == "slurm":
        return "cpu" if config.cluster.gpus_per_node == 0 else "cuda"
    return "cuda" if machine.gpus else "cpu"


def resolve_paths(config: RunConfig, *, log: LogFn) -> RunConfig:
    """The config with absolute folders in place of `tiny`, hub names and relative paths.

    A run goes on from any folder, so its config holds no path that depends on one.
    """
    model, library = config.model.path, config.library.path
    if MADE_ON_THE_SPOT in (model, library):
        log(f"Making the tiny model and library in {TINY_FOLDER}, where they are not there yet.")
        run_child("ftdist.testing.tiny", [str(TINY_FOLDER)])
        model = str(TINY_FOLDER / "model") if model == MADE_ON_THE_SPOT else model
        library = str(TINY_FOLDER / "library") if library == MADE_ON_THE_SPOT else library
    if not Path(model).expanduser().exists() and HUB_NAME.fullmatch(model):
        log(f"Fetching {model} from the hub, where it is not in the local cache yet.")
        fetched = call_child(
            "ftdist_launch.download_model", [model, config.model.revision or ""], kind=ModelError
        )
        model = fetched["path"]
    sources = {
        name: replace(source, path=_absolute(source.path))
        for name, source in config.library.extra_sources.items()
    }
    return replace(
        config,
        run=replace(config.run, root=_absolute(config.run.root)),
        model=replace(config.model, path=_absolute(model)),
        library=replace(
            config.library,
            path=_absolute(library),
            extra_sources=sources,
            cache_dir=_absolute(config.library.cache_dir),
        ),
        eval=absolute_paths(config.eval),
    )


def prepare_library(config: RunConfig) -> LibraryFacts:
    """Tokenise and pack the library in a child process; where it was packed before, look it up.

    Raises:
        FtdistError: what the child said.
    """
    with tempfile.TemporaryDirectory(prefix="ftdist-") as folder:
        path = Path(folder) / "config.yaml"
        path.write_text(dump_config(config), encoding="utf-8")
        return LibraryFacts.from_json(json.dumps(call_child("ftdist.prepare.main", [str(path)])))


def library_warnings(config: RunConfig) -> list[str]:
    """What the library lacks, of a config with absolute folders; the tiny one may lack it.

    Raises:
        DataError: it is a curated library that cannot be used.
    """
    from ftdist.library.store.dataset import is_curated, open_curated

    folder = Path(config.library.path)
    alone = not config.library.extra_sources and folder != (TINY_FOLDER / "library").resolve()
    if alone and is_curated(folder):
        alone = all(source.role == "library" for source in open_curated(folder).sources)
    return [NO_REPLAY_WARNING] if alone else []


def make_run_dir(planned: PlannedRun, *, overrides: Sequence[str]) -> RunDir:
    """Make the run directory; the config comes last, and makes it a run.

    The plan's dtype stands in the config from now on: `auto` would be another one wherever the
    run goes on, on a machine without a GPU for example.
    """
    dtyped = replace(planned.config.model, dtype=planned.plan.dtype)
    config = replace(planned.config, model=dtyped)
    run = run_dir(config)
    with private_umask(private=config.run.private):
        run.create(private=config.run.private)
        write_whole(run.overrides, "".join(f"{line}\n" for line in overrides))
        write_plan(run, config=config, plan=planned.plan)
    return run


def write_plan(run: RunDir, *, config: RunConfig, plan: Plan) -> None:
    """Write what the next attempt goes by."""
    write_whole(run.plan, plan.to_json() + "\n")
    write_whole(run.config, dump_config(config))


def write_first_plan(run: RunDir, config: RunConfig, *, library: LibraryFacts) -> Plan:
    """Plan a run whose library was not packed yet when it was submitted.

    The device is the one that was asked for; the first attempt settles it.
    """
    device = config.cluster.device
    if device == "auto":
        device = "cuda" if config.cluster.gpus_per_node else "cpu"
    model = read_model_facts(Path(config.model.path))
    plan = make_plan(config, model=model, library=library, device=device)
    write_whole(run.plan, plan.to_json() + "\n")
    return plan


def read_plan(run: RunDir) -> Plan:
    """The plan that the run goes by.

    Raises:
        StorageError: it is not there, or damaged.
    """
    remedy = "put it back from a copy, or start a run of its own with `ftdist train`."
    try:
        return Plan.from_json(run.plan.read_text(encoding="utf-8"))
    except OSError as error:
        raise StorageError(f"{run.plan} cannot be read: {error.strerror}.", remedy=remedy) from None
    except (ValueError, TypeError, KeyError, AttributeError):
        raise StorageError(f"{run.plan} is damaged: it holds no plan.", remedy=remedy) from None


def absolute_paths(settings: EvalConfig) -> EvalConfig:
    """The same files, named so that a process in another folder finds them."""

    def whole(path: str | None) -> str | None:
        return None if path is None else path if path == NONE else _absolute(path)

    return replace(
        settings,
        probes=whole(settings.probes),
        general_questions=whole(settings.general_questions),
        perplexity_texts=whole(settings.perplexity_texts),
        lm_eval_tasks=[_absolute(path) for path in settings.lm_eval_tasks],
    )


def _absolute(path: str) -> str:
    return str(Path(path).expanduser().resolve())
