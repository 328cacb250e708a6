"""Preflight checks of the commands that use a trained run: export, compare, merge and chat."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from ftdist.checkpoint.changed_models import (
    refuse_changed_base,
    refuse_changed_export,
    small_files,
)
from ftdist.checkpoint.store import CheckpointStore
from ftdist.config.schema import RunConfig
from ftdist.errors import ConfigError, FtdistError, ModelError, StorageError
from ftdist.evaluation.eval_set import read_eval_set
from ftdist.evaluation.report.merge_sweep import is_of_export
from ftdist.rundir import RunDir
from ftdist_launch.setup.preflight import errors_of


def export_problems(run: RunDir, config: RunConfig) -> Iterator[FtdistError]:
    """A run without a checkpoint to export, or without the tokenizer that it trained with."""
    yield from errors_of(lambda: small_files(run, config))
    if not CheckpointStore(run.checkpoints, keep=1).committed():
        yield ConfigError(
            f"Run {run.name} has no checkpoint to export yet.",
            remedy=f"train it first with `ftdist resume {run.name}`; `ftdist status {run.name}` "
            "shows its progress.",
        )


def export_missing(run: RunDir, *, verb: str) -> Iterator[FtdistError]:
    """A run without an exported model.

    Args:
        run: the run.
        verb: what needs the model, such as "compare".
    """
    if not (run.export / "config.json").is_file():
        yield ConfigError(
            f"Run {run.name} has no exported model to {verb}.",
            remedy=f"export it first with `ftdist export {run.cli_name}`.",
        )


def merged_missing(run: RunDir) -> Iterator[FtdistError]:
    """A run without a merged model, or with one of another export."""
    if not (run.merged_model / "config.json").is_file():
        yield ConfigError(
            f"Run {run.name} has no merged model.",
            remedy=f"run `ftdist merge {run.cli_name}`, or leave out --merged.",
        )
    elif not is_of_export(run):
        yield ConfigError(
            f"The merged model of run {run.name} was made from another export than {run.export}.",
            remedy=f"run `ftdist merge {run.cli_name}` again, or leave out --merged.",
        )


def base_missing(run: RunDir, config: RunConfig, *, remedy: str) -> Iterator[FtdistError]:
    """A run whose base model no longer exists."""
    if not Path(config.model.path).is_dir():
        yield ModelError(
            f"The base model of run {run.name} is no longer in {config.model.path}.", remedy=remedy
        )


def compare_problems(
    run: RunDir, config: RunConfig, *, exported: bool = True
) -> Iterator[FtdistError]:
    """A run without an exported model, its base model or questions, or with other models.

    Args:
        run: the run.
        config: selects the questions.
        exported: whether the exported model must exist already.
    """
    if exported:
        yield from export_missing(run, verb="compare")
        yield from errors_of(lambda: refuse_changed_export(run))
    yield from base_missing(run, config, remedy="put it back: the tuned model is compared with it.")
    if Path(config.model.path).is_dir():
        yield from errors_of(lambda: refuse_changed_base(run, config))
    yield from errors_of(lambda: read_eval_set(config.eval, library=Path(config.library.path)))


def output_problems(run: RunDir, *, stage: Literal["compare", "merge"]) -> Iterator[FtdistError]:
    """Problems that would keep results from being written, found before models are loaded."""
    results = run.report if stage == "compare" else run.merge
    for folder in (run.root, run.jobs, run.attempts, results):
        if not os.path.lexists(folder):
            continue  # it will be created
        if not (folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)):
            yield StorageError(
                f"{folder} is not a folder in which you may write.",
                remedy="move it elsewhere, get write permission, or ask its owner to run this.",
            )
