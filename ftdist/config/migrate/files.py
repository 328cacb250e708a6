"""Read YAML and JSON that other trainers' users wrote."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from ftdist.errors import ConfigError

MAX_BYTES = 8 << 20
"""Of the largest config; LLaMA-Factory's own dataset_info.json has 20 KiB."""

_DATA = ("data, not a config", "name it in library.path; `ftdist check` looks at it.")
_NO_CONFIGS = {
    ".py": (
        "Python, which ftdist does not run",
        "write its arguments as keys: docs/how-to/migrate.md has a table for TRL.",
    ),
    ".jsonl": _DATA,
    ".parquet": _DATA,
    ".csv": _DATA,
}
"""Files that people may name, by suffix: what they are, and what to do."""


def read_mapping(path: Path, *, what: str) -> dict[str, Any]:
    """The members of a YAML or JSON file.

    Args:
        path: of the file.
        what: it holds, for messages, such as "an Axolotl config".

    Raises:
        ConfigError: it cannot be read, or holds something else.
    """
    if path.suffix.lower() in _NO_CONFIGS:
        what_it_is, remedy = _NO_CONFIGS[path.suffix.lower()]
        raise ConfigError(f"{path} is {what_it_is}.", remedy=remedy)
    text = _text(path)
    try:
        value = json.loads(text) if path.suffix.lower() == ".json" else yaml.safe_load(text)
    except (ValueError, RecursionError) as error:
        raise _unreadable(path, "JSON", error) from error
    except yaml.YAMLError as error:
        raise _unreadable(path, "YAML", error) from error
    if not isinstance(value, Mapping):
        raise ConfigError(
            f"{path} holds no keys and values.", remedy=f"name {what}, with keys at its top."
        )
    return {str(name): member for name, member in value.items()}


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError(
                f"{path} has more than {MAX_BYTES >> 20} MiB, which is no config.",
                remedy="name the config; rows of data go to library.path.",
            )
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path} is no UTF-8 text.", remedy="name a YAML or JSON file."
        ) from error
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read: {error.strerror}.", remedy="name an existing file."
        ) from error


def _unreadable(path: Path, kind: str, error: Exception) -> ConfigError:
    place = ""
    if isinstance(error, json.JSONDecodeError):
        place = f" in line {error.lineno}: {error.msg}"
    elif isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        place = f" in line {error.problem_mark.line + 1}: {error.problem}"
    return ConfigError(f"{path} is no valid {kind}{place}.", remedy="correct the file.")
