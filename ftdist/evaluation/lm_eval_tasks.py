"""Run the user's lm-eval tasks from local files on a loaded model.

https://github.com/EleutherAI/lm-evaluation-harness is an optional extra, imported only for tasks.
"""

import glob
import hashlib
import logging
import os
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

from ftdist.errors import ConfigError, DataError, FtdistError

SUFFIXES = (".yaml", ".yml")

KEY_FORMAT = 2
"""Increase it whenever cached outcomes become incomparable with new ones."""

Outcomes = dict[str, list[bool]]
"""By "TASK/METRIC", whether the model was right, document by document.

"TASK/METRIC,FILTER", in lm-eval's notation, if the task has several filters.
"""


def find_tasks(entries: Sequence[str]) -> tuple[Path, ...]:
    """The task files that `eval.lm_eval_tasks` names: files, and those in folders.

    Raises:
        DataError: a file is missing or cannot be read, a folder has none, or two files use
            the same task name.
        ConfigError: lm-eval is not installed.
    """
    if not entries:
        return ()
    remedy = "name task files of lm-eval (*.yaml), or folders of them, in eval.lm_eval_tasks."
    found: dict[Path, None] = {}
    for entry in entries:
        path = Path(entry).expanduser().resolve()
        files = [path] if path.is_file() else sorted(_task_files(path))
        if not files:
            raise DataError(f"{entry} is not a task file and contains none.", remedy=remedy)
        found |= dict.fromkeys(files)
    if find_spec("lm_eval") is None:
        raise ConfigError(
            "eval.lm_eval_tasks needs lm-eval, which is not installed.",
            remedy="pip install 'ftdist[lm-eval]', or leave eval.lm_eval_tasks out.",
        )
    _check_unique_names(list(found))
    return tuple(found)


def _task_files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if path.suffix in SUFFIXES and path.is_file():
            yield path


def _check_unique_names(files: Sequence[Path]) -> None:
    """Reject duplicate task names, because outcomes are stored by name."""
    by_name: dict[str, Path] = {}
    for file in files:
        keys: dict[str, Any] = {}
        for part in _with_included(file).values():
            keys |= part
        # A group has a list of tasks.
        named = [keys.get(key) for key in ("task", "group")]
        name = next((name for name in named if isinstance(name, str)), str(file))
        first = by_name.setdefault(name, file)
        if first != file:
            raise DataError(
                f"Two tasks have the name {name}, in {first} and in {file}.",
                remedy="give one of them another name (task: NAME), or leave it out of "
                "eval.lm_eval_tasks.",
            )


def tasks_key(files: Sequence[Path]) -> str:
    """SHA-256 key of everything that the tasks' outcomes depend on.

    It covers the lm-eval version, the contents of the task files and their includes, and the
    sizes and times of the files next to them and of the data that they name.

    Raises:
        DataError: a file cannot be read.
    """
    digest = hashlib.sha256()
    try:
        by = version("lm-eval")
    except PackageNotFoundError:
        by = ""
    for file in files:
        digest.update(f"{KEY_FORMAT} {by}\n".encode())
        keys = _with_included(file)
        needed: set[Path] = set()
        for path, part in keys.items():
            digest.update(path.read_bytes())
            needed.update(path.parent.iterdir(), _data_of(part))
        for path in sorted(path for path in needed if path.is_file()):
            facts = path.stat()
            digest.update(f"{path} {facts.st_size} {facts.st_mtime_ns}\n".encode())
    return digest.hexdigest()


class _Loader(yaml.SafeLoader):
    """Ignores `!function` and other tags, so that reading a file never runs code."""


_Loader.add_multi_constructor("!", lambda *_: None)


def _with_included(file: Path, *, by: tuple[Path, ...] = ()) -> dict[Path, dict[str, Any]]:
    """The keys of a task file, preceded by those of its includes, which it overrides."""
    if file in by:
        return {}  # a cycle, which lm-eval reports
    remedy = "name task files of lm-eval (*.yaml), with what they include, in eval.lm_eval_tasks."
    try:
        keys = yaml.load(file.read_bytes(), Loader=_Loader)
    except OSError as error:
        whose = f", which {by[-1]} includes," if by else ""
        raise DataError(
            f"The task file {file}{whose} cannot be read: {error.strerror}.", remedy=remedy
        ) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        why = " ".join(str(error).split())[:300]
        raise DataError(f"The task file {file} is not YAML: {why}", remedy=remedy) from error
    if not isinstance(keys, dict):
        raise DataError(f"The task file {file} holds no keys and values.", remedy=remedy)
    included = keys.pop("include", None) or []
    found: dict[Path, dict[str, Any]] = {}
    for name in included if isinstance(included, list) else [included]:
        path = file.parent / str(name).replace("\0", "")
        found |= _with_included(path.resolve(), by=(*by, file))
    return found | {file: keys}


def _data_of(keys: Any) -> Iterator[Path]:
    """Local data files that a task file names, including those of a group's nested tasks."""
    if isinstance(keys, dict):
        yield from _files_below(keys.get("dataset_path"))
        arguments = keys.get("dataset_kwargs")
        if isinstance(arguments, dict):
            names = list(_texts(arguments.get("data_files")))
            folder = arguments.get("data_dir")
            if not names:
                yield from _files_below(folder)
            for name in names:
                pattern = str(_home(str(folder or "")) / name)
                for meant in (pattern, glob.escape(pattern)):
                    # Path.glob takes no absolute patterns.
                    yield from map(Path, glob.iglob(meant, recursive=True))  # noqa: PTH207
    if isinstance(keys, dict | list):
        for part in keys.values() if isinstance(keys, dict) else keys:
            yield from _data_of(part)


def _files_below(folder: Any) -> Iterator[Path]:
    if folder and isinstance(folder, str):
        yield from _home(folder).rglob("*")


def _home(path: str) -> Path:
    """The path with `~` expanded; unchanged for an unknown user."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 - Path's own raises an error


def _texts(value: Any) -> Iterator[str]:
    """The strings in a value, a list or the values of a mapping."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _texts(part)


def ask_tasks(model: Any, tokenizer: Any, files: Sequence[Path], *, batch: int) -> Outcomes:
    """Run the tasks on a model and return the outcome of every document.

    Args:
        model: a loaded transformers model, in evaluation mode.
        tokenizer: of the model.
        files: task files; data paths in them are relative to the working directory.
        batch: documents per batch.

    Returns:
        The documents' outcomes for each binary metric and each of the task's filters.

    Raises:
        DataError: lm-eval cannot run a task, or a task has no binary metric.
    """
    # Its messages about versions, defaults and missing git folders are irrelevant here.
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    os.environ.setdefault("TQDM_DISABLE", "1")
    from lm_eval import simple_evaluate
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    lm = HFLM(pretrained=model, tokenizer=tokenizer, batch_size=batch)
    found: Outcomes = {}
    for file in files:
        try:
            results = simple_evaluate(
                model=lm,
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
                remedy="try it alone with `lm_eval run`, or leave it out of eval.lm_eval_tasks.",
            ) from error
        found |= _outcomes(results["samples"], file=file)
    return found


def _outcomes(samples: dict[str, list[dict[str, Any]]], *, file: Path) -> Outcomes:
    found: Outcomes = {}
    for task, rows in samples.items():
        by_filter: dict[str, list[dict[str, Any]]] = {}
        for row in rows:  # every document occurs once per filter
            by_filter.setdefault(row["filter"], []).append(row)
        metrics = list(dict.fromkeys(name for row in rows for name in row["metrics"]))
        binary = {
            f"{task}/{metric}" + ("" if list(by_filter) == ["none"] else f",{way}"): values
            for metric in metrics
            for way, documents in by_filter.items()
            if (values := _right_or_wrong([row.get(metric) for row in documents])) is not None
        }
        if not binary:
            raise DataError(
                f"The task {task} in {file} has no metric that marks each document right or "
                f"wrong: its metrics are {', '.join(metrics) or 'none'}.",
                remedy="give it a metric such as acc or exact_match, or leave it out.",
            )
        found |= binary
    return found


def _right_or_wrong(values: Sequence[Any]) -> list[bool] | None:
    """The values as outcomes; None if any is neither 0 nor 1."""
    if not values or any(value not in (0, 1) for value in values):
        return None
    # Some are numpy booleans, which JSON cannot represent.
    return [bool(value == 1) for value in values]
