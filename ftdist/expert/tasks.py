"""Benchmarks that the user names: tasks of lm-eval, from local files, asked of a loaded model.

https://github.com/EleutherAI/lm-evaluation-harness. Loaded only where tasks are asked; it is an
extra of its own.
"""

import hashlib
import logging
import os
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ftdist.errors import ConfigError, DataError, FtdistError

SUFFIXES = (".yaml", ".yml")

Outcomes = dict[str, list[bool]]
"""By "TASK/METRIC", whether the model was right, document by document."""


def find_tasks(entries: Sequence[str]) -> tuple[Path, ...]:
    """The task files that `compare.tasks` names: files, and those in folders.

    Raises:
        DataError: there is no such file, or none in a folder.
        ConfigError: lm-eval is not installed.
    """
    if not entries:
        return ()
    remedy = "name task files of lm-eval (*.yaml), or folders of them, in compare.tasks."
    found: dict[Path, None] = {}
    for entry in entries:
        path = Path(entry).expanduser().resolve()
        files = [path] if path.is_file() else sorted(_task_files(path))
        if not files:
            raise DataError(f"There is no task file {entry}, nor one in it.", remedy=remedy)
        found |= dict.fromkeys(files)
    if find_spec("lm_eval") is None:
        raise ConfigError(
            "compare.tasks needs lm-eval, which is not installed.",
            remedy="pip install 'ftdist[lm-eval]', or leave compare.tasks out.",
        )
    return tuple(found)


def _task_files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if path.suffix in SUFFIXES and path.is_file():
            yield path


def tasks_key(files: Sequence[Path]) -> str:
    """Changes whenever a task file or what lies beside it does, as sizes and times tell; sha256."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
        for beside in sorted(path for path in file.parent.iterdir() if path.is_file()):
            facts = beside.stat()
            digest.update(f"{beside} {facts.st_size} {facts.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def ask_tasks(model: Any, tokenizer: Any, files: Sequence[Path], *, batch: int) -> Outcomes:
    """What a model gets right in each task.

    Args:
        model: a loaded transformers model, in evaluation mode.
        tokenizer: of the model.
        files: of the tasks; paths of data in them are taken from where the command was typed.
        batch: documents computed at once.

    Returns:
        For each metric of a task that says right or wrong of a document, the documents' outcomes.

    Raises:
        DataError: lm-eval cannot run a task, or a task has no metric of right and wrong.
    """
    # What it would say of versions, defaults and missing git folders is of no use here.
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    os.environ.setdefault("TQDM_DISABLE", "1")
    from lm_eval import simple_evaluate
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    asked = HFLM(pretrained=model, tokenizer=tokenizer, batch_size=batch)
    found: Outcomes = {}
    for file in files:
        try:
            told = simple_evaluate(
                model=asked,
                tasks=[str(file)],
                task_manager=TaskManager(include_defaults=False),
                bootstrap_iters=0,
            )
        except FtdistError:
            raise
        except Exception as error:
            why = " ".join(str(error).split())[:300] or type(error).__name__
            raise DataError(
                f"lm-eval cannot run the task in {file}: {why}",
                remedy="try it alone with `lm_eval run`, or leave it out of compare.tasks.",
            ) from error
        found |= _outcomes(told["samples"], file=file)
    return found


def _outcomes(samples: dict[str, list[dict[str, Any]]], *, file: Path) -> Outcomes:
    found: Outcomes = {}
    for task, documents in samples.items():
        metrics = list(dict.fromkeys(name for row in documents for name in row["metrics"]))
        binary = {
            metric: values
            for metric in metrics
            if (values := _right_or_wrong([row.get(metric) for row in documents])) is not None
        }
        if not binary:
            raise DataError(
                f"The task {task} in {file} says of no document whether it is right: its metrics "
                f"are {', '.join(metrics) or 'none'}.",
                remedy="give it a metric such as acc or exact_match, or leave it out.",
            )
        found |= {f"{task}/{metric}": values for metric, values in binary.items()}
    return found


def _right_or_wrong(values: Sequence[Any]) -> list[bool] | None:
    """The values as outcomes; None where one of them is neither 0 nor 1."""
    if not values or any(value not in (0, 1) for value in values):
        return None
    return [value == 1 for value in values]
