"""The config in a run directory: written, read back, and changed by later commands."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from ftdist.config.hydra_adapter import Parsed
from ftdist.config.keys import TRAIN, config_keys
from ftdist.config.overrides import read_overrides
from ftdist.config.problems import Problem, as_error
from ftdist.config.schema import RunConfig
from ftdist.config.validation import validate
from ftdist.errors import StorageError
from ftdist.io.filesystem import storage_error
from ftdist.io.jsonl import write_whole
from ftdist.io.retry import is_passing, retry_passing


def dump_config(config: RunConfig) -> str:
    """A config as YAML; `load_config` gives the same object back."""
    text: str = yaml.safe_dump(dataclasses.asdict(config), sort_keys=False, allow_unicode=True)
    return text


def save_config(config: RunConfig, path: Path) -> None:
    """Write a config so that it appears whole."""
    write_whole(path, dump_config(config))


def load_config(path: Path, *, remedy: str = "restore it from a backup.") -> RunConfig:
    """The config that `save_config` wrote.

    Raises:
        StorageError: the file cannot be read, or is damaged.
        ConfigError: it is not a config of this version.
    """
    try:
        values = yaml.safe_load(retry_passing(lambda: path.read_text(encoding="utf-8")))
    except OSError as error:
        if is_passing(error):
            raise storage_error(error, action="read", path=path) from None
        raise StorageError(
            f"{path} cannot be read: {error.strerror}.",
            remedy="name a run directory made by ftdist, and make it readable for yourself.",
        ) from None
    except (UnicodeDecodeError, yaml.YAMLError):
        raise StorageError(f"{path} is damaged: it is not YAML.", remedy=remedy) from None
    if not isinstance(values, dict):
        raise StorageError(f"{path} is damaged: it holds no config.", remedy=remedy)
    config: RunConfig | None
    config, problems = validate(values)
    if config is None:
        raise as_error(problems, where=str(path))
    return config


def override_config(
    config: RunConfig, overrides: Sequence[str], *, allowed: tuple[str, ...]
) -> RunConfig:
    """The config of an existing run with other values for some keys.

    Args:
        config: of the run.
        overrides: `key=value`, read as `ftdist train` reads them.
        allowed: keys that may change, and prefixes of keys that end in a dot.

    Raises:
        ConfigError: everything that is wrong: secrets, unknown keys, keys that may not change,
            values that do not fit.
    """
    reading = read_overrides(overrides)
    values = dataclasses.asdict(config)
    problems = list(reading.problems)
    for name, parsed in reading.accepted.items():
        problem = _change_problem(name, parsed, allowed=allowed)
        if problem is not None:
            problems.append(problem)
        else:
            _set(values, name, parsed)
    changed: RunConfig | None
    changed, wrong = validate(values)
    problems += [problem for problem in wrong if problem.key not in reading.meant]
    if problems or changed is None:
        raise as_error(problems)
    return changed


def _change_problem(name: str, parsed: Parsed, *, allowed: tuple[str, ...]) -> Problem | None:
    """An override of a key that may not change, or of a whole group."""
    if any(name == each or (each.endswith(".") and name.startswith(each)) for each in allowed):
        if "${" not in str(parsed.value):
            return None
        problem = f"{name} holds a ${{...}}, and the config of an existing run holds values."
        return Problem(problem, "write the value itself.", name)
    if name not in TRAIN.groups:
        return Problem(
            f"{name} cannot change in an existing run: it would be another run.",
            "leave it out, or start a new run with `ftdist train`.",
            name,
        )
    inside = [key for key in config_keys() if key.startswith(f"{name}.")]
    free = [key for key in inside if key.startswith(allowed)]
    chosen = [key for key in free if parsed.value in config_keys()[key].choices]
    remedy = f"set its keys: {', '.join(free)}." if free else "leave it out."
    if chosen:
        remedy = f"write {chosen[0]}={parsed.value}."
    problem = f"{name}={parsed.value} selects a group, but an existing run takes single keys."
    return Problem(problem, remedy, name)


def _set(values: dict[str, Any], name: str, parsed: Parsed) -> None:
    *sections, last = name.split(".")
    for section in sections:
        values = values.setdefault(section, {})
    if parsed.deletes:
        values.pop(last, None)
    elif isinstance(parsed.value, Mapping) and isinstance(values.get(last), Mapping):
        values[last] = {**values[last], **parsed.value}
    else:
        values[last] = parsed.value
