"""What can be known to be wrong before anything is started; all of it in one answer."""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ftdist.checkpoint.store import CheckpointStore
from ftdist.config.schema import RunConfig
from ftdist.errors import ConfigError, DataError, FtdistError, ModelError, StorageError
from ftdist.evaluation.eval_set import read_eval_set
from ftdist.evaluation.scoring.distractors import can_rank
from ftdist.io.filesystem import free_gib
from ftdist.plan.model_info import untrainable
from ftdist.plan.param_names import check_parameters
from ftdist.plan.plan import Plan, check_context, read_model_facts
from ftdist.rundir import RunDir
from ftdist_launch.local.submit import visible_gpus

TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer.model",
    "spiece.model",
    "vocab.json",
    "vocab.txt",
)
"""Any one of them holds a tokenizer's vocabulary."""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What this machine has, so that checks of it are arithmetic."""

    cores: int
    gpus: int

    @classmethod
    def here(cls) -> "Machine":
        """The machine that runs this process."""
        return cls(cores=len(os.sched_getaffinity(0)), gpus=len(visible_gpus()))


def check_run(
    config: RunConfig, *, executor_problems: Callable[[], Iterator[FtdistError]], new: bool
) -> None:
    """Refuse a run that cannot work, before its library is read.

    Args:
        config: with folders in place of hub names.
        executor_problems: finds what is wrong with where the ranks would run.
        new: whether a run directory is to be made; else the run exists, or only a plan is asked.

    Raises:
        FtdistError: every problem found, of the class that they share or ConfigError.
    """
    checks: list[Callable[[], Iterator[FtdistError]]] = [
        lambda: model_problems(Path(config.model.path)),
        lambda: library_problems(config),
        lambda: context_problems(config),
        lambda: measure_problems(config),
        executor_problems,
    ]
    if new:
        checks.append(lambda: run_problems(run_dir(config)))
    raise_together([problem for check in checks for problem in check()])


def check_plan(plan: Plan, *, root: Path) -> None:
    """Refuse a plan that the disk has no room for.

    Raises:
        StorageError: fewer GiB are free than checkpoints and export will take.
    """
    free = free_gib(root)
    if free < plan.disk_gib:
        raise StorageError(
            f"The run needs about {plan.disk_gib:.1f} GiB of disk, and the disk of {root} has "
            f"{free:.1f} GiB free.",
            remedy="free some, set run.root to a larger disk, or lower checkpoint.keep_latest.",
        )


def run_dir(config: RunConfig) -> RunDir:
    """The run directory that the config names."""
    return RunDir(Path(config.run.root).expanduser().resolve() / config.run.name)


def raise_together(problems: list[FtdistError]) -> None:
    """Raise all problems as one error.

    Raises:
        FtdistError: there are problems.
    """
    if not problems:
        return
    if len(problems) == 1:
        raise problems[0]
    lines = "\n".join(f"  - {p.problem} {p.remedy[0].upper()}{p.remedy[1:]}" for p in problems)
    kinds = {type(problem) for problem in problems}
    kind = kinds.pop() if len(kinds) == 1 else ConfigError
    raise kind(
        f"The run has {len(problems)} problems, and nothing was started:\n{lines}",
        remedy=f"correct all {len(problems)}.",
    )


def model_problems(folder: Path) -> Iterator[FtdistError]:
    """What keeps a folder from being a base model."""
    if not folder.is_dir():
        yield ModelError(
            f"There is no model folder {str(folder)!r}.",
            remedy="set model.path to a folder with config.json, *.safetensors and a tokenizer, "
            "or to a hub name such as owner/name.",
        )
        return
    try:
        read_model_facts(folder)
    except ModelError as error:
        yield error
    yield from untrainable(folder)
    if not any((folder / name).is_file() for name in TOKENIZER_FILES):
        yield ModelError(
            f"{folder} has no tokenizer (none of {', '.join(TOKENIZER_FILES)}).",
            remedy="save the model's tokenizer into the same folder.",
        )
    for name in ("config.json", "tokenizer_config.json"):
        yield from _remote_code_problems(folder / name)


def _remote_code_problems(path: Path) -> Iterator[FtdistError]:
    if not path.is_file():
        return
    try:
        fields: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        if path.name != "config.json":  # of that one, its facts were asked before
            yield ModelError(
                f"{path} is not JSON: {error}.", remedy="fetch or save the model again."
            )
        return
    code = fields.get("auto_map") if isinstance(fields, dict) else None
    if code:
        classes = list(code.values()) if isinstance(code, dict) else [code]
        named = ", ".join(sorted({str(name) for name in classes}))
        yield ModelError(
            f"{path} asks for code of its own ({named}), which ftdist does not run.",
            remedy="use a version of the model whose code is part of transformers; if transformers "
            "knows its model_type, remove `auto_map` from the file.",
        )


def library_problems(config: RunConfig) -> Iterator[FtdistError]:
    """Sources that are not there, or hold nothing."""
    sources = {"library.path": config.library.path} | {
        f"library.extra_sources.{name}.path": source.path
        for name, source in config.library.extra_sources.items()
    }
    for key, value in sources.items():
        path = Path(value)
        try:
            is_there, is_empty = path.exists(), path.is_dir() and not any(path.iterdir())
        except OSError as error:
            yield DataError(
                f"{key}: {value!r} cannot be read: {error.strerror}.",
                remedy="give yourself the right to read it, or name another folder or file.",
            )
            continue
        if not is_there:
            yield DataError(
                f"{key}: there is no file or folder {value!r}.",
                remedy=f"set {key} to a folder or file of conversations and text.",
            )
        elif is_empty:
            yield DataError(f"{key}: the folder {value!r} is empty.", remedy="put documents in it.")


def measure_problems(config: RunConfig) -> Iterator[FtdistError]:
    """Measurements while training that have nothing to ask."""
    if not config.eval.probes_every_steps:
        return
    try:
        asked = replace(config.eval, lm_eval_tasks=[])
        inputs = read_eval_set(asked, library=Path(config.library.path))
    except FtdistError as error:
        yield error
        return
    if not can_rank(inputs.probes):
        yield DataError(
            f"{inputs.source} has no question about the library with answers to rank.",
            remedy="add recall probes with different answers, or set eval.probes_every_steps=0.",
        )


def context_problems(config: RunConfig) -> Iterator[FtdistError]:
    """Sequences longer than the model's context, and names of parameters that it has not."""
    try:
        model = read_model_facts(Path(config.model.path))
    except ModelError:
        return  # told already
    for check in (check_context, check_parameters):
        try:
            check(config, model=model)
        except ConfigError as error:
            yield error


def machine_problems(config: RunConfig, *, machine: Machine) -> Iterator[FtdistError]:
    """More ranks than this machine can hold."""
    cluster = config.cluster
    if cluster.nodes > 1:
        yield ConfigError(
            f"cluster.nodes={cluster.nodes}, but cluster.executor=local is this machine alone.",
            remedy="set cluster.nodes=1.",
        )
    if cluster.device == "cuda" and machine.gpus == 0:
        yield ConfigError(
            "cluster.device=cuda, but no GPU is visible here.",
            remedy="set cluster.device=cpu, or check CUDA_VISIBLE_DEVICES.",
        )
    elif cluster.device != "cpu" and 0 < machine.gpus < cluster.tasks_per_node:
        yield ConfigError(
            f"cluster.tasks_per_node={cluster.tasks_per_node}, but {machine.gpus} GPUs are visible "
            f"here and each rank needs its own.",
            remedy=f"set cluster.tasks_per_node={machine.gpus}, or cluster.device=cpu.",
        )


def machine_notes(config: RunConfig, *, machine: Machine) -> list[str]:
    """What works, but not well."""
    cluster = config.cluster
    threads = cluster.tasks_per_node * cluster.threads
    on_cpu = cluster.device == "cpu" or machine.gpus == 0
    if on_cpu and threads > machine.cores:
        return [
            f"Note: {cluster.tasks_per_node} ranks of {cluster.threads} threads share "
            f"{machine.cores} cores; each step takes longer for it."
        ]
    return []


def run_problems(run: RunDir) -> Iterator[FtdistError]:
    """A run directory that is somebody's already, or cannot be made."""
    if "%" in str(run.root):
        yield ConfigError(
            f"The run directory {run.root} has a % in its path, which submitit replaces.",
            remedy="set run.root to a path without %.",
        )
    elif run.exists():
        yield ConfigError(
            f"Run {run.name} already exists in {run.root}.",
            remedy=f"go on with it: `ftdist resume {run.name}`, or set another run.name.",
        )
    elif run.root.exists() and not run.root.is_dir():
        yield ConfigError(
            f"{run.root} is a file, and would be the run directory.",
            remedy="set another run.name or run.root.",
        )
    elif run.root.is_dir() and any(run.root.iterdir()):
        yield ConfigError(
            f"The folder {run.root} is there already, and what is in it is no run.",
            remedy="set another run.name, or move what is in it elsewhere.",
        )
    else:
        there = next(p for p in (run.root, *run.root.parents) if p.exists())
        if not os.access(there, os.W_OK | os.X_OK):
            yield StorageError(
                f"The run directory {run.root} cannot be made: {there} is not writable.",
                remedy="set run.root to a folder of your own.",
            )


def export_problems(run: RunDir) -> Iterator[FtdistError]:
    """A run that has nothing to export."""
    if not CheckpointStore(run.checkpoints, keep=1).committed():
        yield ConfigError(
            f"Run {run.name} has no checkpoint to export yet.",
            remedy=f"let it train first: `ftdist resume {run.name}`; `ftdist status {run.name}` "
            "says where it stands.",
        )


def export_missing(run: RunDir, *, verb: str) -> Iterator[FtdistError]:
    """A run without a tuned model.

    Args:
        run: whose model.
        verb: what the model is wanted for, such as "compare".
    """
    if not (run.export / "config.json").is_file():
        yield ConfigError(
            f"Run {run.name} has no exported model to {verb}.",
            remedy=f"export it first: `ftdist export {run.cli_name}`.",
        )


def base_missing(run: RunDir, config: RunConfig, *, remedy: str) -> Iterator[FtdistError]:
    """A run whose base model is gone."""
    if not Path(config.model.path).is_dir():
        yield ModelError(
            f"The base model of run {run.name} is no longer in {config.model.path}.", remedy=remedy
        )


def compare_problems(
    run: RunDir, config: RunConfig, *, exported: bool = True
) -> Iterator[FtdistError]:
    """A run without a tuned model, or without questions to ask.

    Args:
        run: whose model.
        config: says which questions.
        exported: whether the model must be there already.
    """
    if exported:
        yield from export_missing(run, verb="compare")
    yield from base_missing(run, config, remedy="put it back: the tuned model is compared with it.")
    try:
        read_eval_set(config.eval, library=Path(config.library.path))
    except FtdistError as error:
        yield error
