"""Preflight checks of a run: find all problems before anything starts, and report them together."""

import glob
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ftdist.config.schema import RunConfig
from ftdist.config.schema.checkpoint import MIN_KEPT
from ftdist.dist.visible_gpus import visible_gpus
from ftdist.errors import ConfigError, DataError, FtdistError, ModelError, StorageError
from ftdist.evaluation.eval_set import read_eval_set
from ftdist.evaluation.scoring.distractors import can_rank
from ftdist.io.filesystem import free_gib
from ftdist.io.units import format_gib
from ftdist.library.sources.reference import hub_hint, is_hub
from ftdist.library.sources.walk import glob_files
from ftdist.observe.wandb.api import find_server
from ftdist.plan.model_info import read_model_info, untrainable
from ftdist.plan.output_head import check_head
from ftdist.plan.param_names import check_parameters
from ftdist.plan.planner import check_context
from ftdist.plan.sequence_parallel import check_sequence_parallel
from ftdist.plan.surplus_tokens import check_texts
from ftdist.rundir import RunDir
from ftdist_launch.setup.existing_run import run_exists

TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer.model",
    "spiece.model",
    "vocab.json",
    "vocab.txt",
)
"""Files of a tokenizer's vocabulary; one of them is enough."""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """The cores and GPUs of a machine."""

    cores: int
    gpus: int

    @classmethod
    def here(cls) -> "Machine":
        """The machine that runs this process."""
        return cls(cores=len(os.sched_getaffinity(0)), gpus=len(visible_gpus()))


def check_run(config: RunConfig, *, executor_problems: Iterable[FtdistError], new: bool) -> None:
    """Refuse a run that cannot work, before its library is read.

    Args:
        config: with folders in place of hub names.
        executor_problems: those of the machine or cluster that the ranks would run on.
        new: whether the run directory will be created; False for a plan alone.

    Raises:
        FtdistError: all problems, as their common class or ConfigError.
    """
    raise_together(
        [
            *model_problems(Path(config.model.path)),
            *data_problems(config),
            *context_problems(config),
            *executor_problems,
            *(run_problems(run_dir(config)) if new else ()),
        ]
    )


def data_problems(config: RunConfig) -> Iterator[FtdistError]:
    """A library and evaluation questions that cannot be used."""
    yield from library_problems(config)
    yield from measure_problems(config)


def disk_problems(root: Path, *, needed_gib: float, keep_latest: int = 1) -> Iterator[FtdistError]:
    """A disk without room for checkpoints and export."""
    free = free_gib(root)
    if free < needed_gib:
        yield StorageError(
            f"The run needs about {format_gib(needed_gib)} of disk, but the disk of {root} has "
            f"only {format_gib(free)} free.",
            remedy="free some space, set run.root to a larger disk, or set "
            f"checkpoint.keep_latest={MIN_KEPT}."
            if keep_latest > MIN_KEPT
            else "free some space, or set run.root to a larger disk.",
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
        f"The run has {len(problems)} problems, so nothing was started:\n{lines}",
        remedy=f"correct all {len(problems)}.",
    )


def errors_of(check: Callable[[], object]) -> Iterator[FtdistError]:
    """The error that a check raises, if it does."""
    try:
        check()
    except FtdistError as error:
        yield error


def model_problems(folder: Path) -> Iterator[FtdistError]:
    """The reasons why a folder cannot be the base model."""
    if not folder.is_dir():
        yield ModelError(
            f"The model folder {str(folder)!r} does not exist.",
            remedy="set model.path to a folder with config.json, *.safetensors and a tokenizer, "
            "or to a hub name such as owner/name.",
        )
        return
    yield from errors_of(lambda: check_head(folder))
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
        if path.name != "config.json":  # read_model_info reports a damaged config.json
            yield ModelError(
                f"{path} is not JSON: {error}.", remedy="download or save the model again."
            )
        return
    code = fields.get("auto_map") if isinstance(fields, dict) else None
    if code:
        classes = code.values() if isinstance(code, dict) else [code]
        yield ModelError(
            f"{path} needs custom code ({', '.join(sorted(set(map(str, classes))))}), which ftdist "
            "does not run.",
            remedy="use a model whose code is part of transformers; if transformers supports its "
            "model_type, remove `auto_map` from the file.",
        )


def library_problems(config: RunConfig) -> Iterator[FtdistError]:
    """Sources that do not exist or are empty."""
    sources = {"library.path": config.library.path} | {
        f"library.extra_sources.{name}.path": source.path
        for name, source in config.library.extra_sources.items()
    }
    for key, value in sources.items():
        path = Path(value)
        if is_hub(value):
            continue  # resolved before
        try:
            if not path.exists() and glob.has_magic(value):
                glob_files(path, key=key, on_error=lambda _: None)
            elif not path.exists():
                yield DataError(
                    f"{key}: the file or folder {value!r} does not exist.",
                    remedy=f"set {key} to a folder or file of conversations and text"
                    f"{hub_hint(value)}.",
                )
            elif path.is_dir() and not any(path.iterdir()):
                yield DataError(
                    f"{key}: the folder {value!r} is empty.", remedy="put documents in it."
                )
        except DataError as error:
            yield error
        except OSError as error:
            yield DataError(
                f"{key}: {value!r} cannot be read: {error.strerror}.",
                remedy="grant yourself read permission, or set another folder or file.",
            )


def measure_problems(config: RunConfig) -> Iterator[FtdistError]:
    """Evaluation with probes during training that has no probes, or that the model cannot read."""
    if not config.eval.probes_every_steps:
        return
    try:
        without_tasks = replace(config.eval, lm_eval_tasks=[])
        inputs = read_eval_set(without_tasks, library=Path(config.library.path))
    except FtdistError as error:
        yield error
        return
    if not can_rank(inputs.probes):
        yield DataError(
            f"{inputs.source} has no question about the library with answers to rank.",
            remedy="add fact probes with different answers, or set eval.probes_every_steps=0.",
        )
    texts = [text for probe in inputs.probes for text in (probe.question, probe.answer)]
    path = Path(config.model.path)
    with suppress(ModelError):  # `context_problems` reports it
        rows = read_model_info(path).embedding_rows
        yield from errors_of(lambda: check_texts(texts, model=path, rows=rows))


def context_problems(config: RunConfig) -> Iterator[FtdistError]:
    """Sequences longer than the model's context, and parameter names that the model lacks."""
    try:
        model = read_model_info(Path(config.model.path))
    except ModelError:
        return  # model_problems reports it
    yield from errors_of(lambda: check_context(config, model=model))
    yield from errors_of(lambda: check_sequence_parallel(config, model=model))
    yield from errors_of(lambda: check_parameters(config, model=model))


def machine_problems(config: RunConfig, *, machine: Machine) -> Iterator[FtdistError]:
    """Settings that need more nodes or GPUs than this machine has."""
    cluster = config.cluster
    if cluster.nodes > 1:
        yield ConfigError(
            f"cluster.nodes={cluster.nodes}, but cluster.executor=local uses this machine alone.",
            remedy="set cluster.nodes=1.",
        )
    if cluster.device == "cuda" and machine.gpus == 0:
        yield ConfigError(
            "cluster.device=cuda, but no GPU is visible on this machine.",
            remedy="set cluster.device=cpu, or check CUDA_VISIBLE_DEVICES.",
        )
    elif cluster.device != "cpu" and 0 < machine.gpus < cluster.tasks_per_node:
        yield ConfigError(
            f"cluster.tasks_per_node={cluster.tasks_per_node}, but {machine.gpus} GPUs are visible "
            f"here and each rank needs its own.",
            remedy=f"set cluster.tasks_per_node={machine.gpus}, or cluster.device=cpu.",
        )


def machine_notes(config: RunConfig, *, machine: Machine) -> Iterator[str]:
    """Warnings about settings that work on this machine but are slow."""
    cluster = config.cluster
    on_cpu = cluster.executor == "local" and (cluster.device == "cpu" or machine.gpus == 0)
    if on_cpu and cluster.tasks_per_node * cluster.threads > machine.cores:
        yield (
            f"Note: {cluster.tasks_per_node} ranks of {cluster.threads} threads share "
            f"{machine.cores} cores, which makes each step slower."
        )


def run_problems(run: RunDir) -> Iterator[FtdistError]:
    """A run directory that is in use already, cannot be created, or that others could replace."""
    yield from errors_of(run.require_own)
    if "%" in str(run.root):
        yield ConfigError(
            f"The path of the run directory {run.root} contains %, which submitit replaces.",
            remedy="set run.root to a path without %.",
        )
    elif run.exists() or run.jobs.is_dir():
        yield run_exists(run)
    elif run.root.exists() and not (run.root.is_dir() and not any(run.root.iterdir())):
        yield ConfigError(
            f"{run.root} already exists and is not a run.",
            remedy="set another run.name, or move it elsewhere.",
        )
    else:
        there = next(p for p in (run.root, *run.root.parents) if p.exists())
        if not os.access(there, os.W_OK | os.X_OK):
            yield StorageError(
                f"The run directory {run.root} cannot be created: {there} is not writable.",
                remedy="set run.root to a folder that you can write to.",
            )


def tracking_problems(config: RunConfig, environment: Mapping[str, str]) -> Iterator[FtdistError]:
    """Online tracking without an API key."""
    if config.tracking.wandb == "online" and find_server(environment) is None:
        yield ConfigError(
            "tracking.wandb=online, but there is no W&B key in WANDB_API_KEY or ~/.netrc.",
            remedy="run `wandb login` once, or set tracking.wandb=offline.",
        )
