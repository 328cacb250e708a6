"""Folders that `datasets` writes with `save_to_disk`: a Dataset, or a DatasetDict of splits."""

import json
import os
from pathlib import Path
from typing import Any

from ftdist.errors import DataError
from ftdist.library.sources.choice import choose
from ftdist.library.sources.reference import DataReference

_DICT, _STATE = "dataset_dict.json", "state.json"
_REMEDY = "copy it again, or save it again with `save_to_disk`."


def is_saved(folder: Path) -> bool:
    """Whether a folder was written by `save_to_disk`."""
    is_state = os.path.isfile(folder / _STATE)  # noqa: PTH113 - False without permission
    return is_saved_dict(folder) or (is_state and _is_state(folder))


def is_saved_dict(folder: Path) -> bool:
    """Whether it is a DatasetDict, with a folder for each split."""
    return os.path.isfile(folder / _DICT)  # noqa: PTH113 - False without permission


def saved_files(
    folder: Path, *, reference: DataReference, key: str
) -> tuple[str | None, tuple[Path, ...]]:
    """The shards of a saved dataset in their order, and the split that was chosen.

    Raises:
        DataError: a shard is missing, a split must be chosen, or a file is damaged.
    """
    if not is_saved_dict(folder):
        return None, _shards(folder, key=key)
    splits = _read(folder / _DICT, key=key).get("splits")
    names = [str(name) for name in splits] if isinstance(splits, list) else []
    split = choose(names, option="split", default="train", reference=reference, key=key)
    return split, _shards(folder / split, key=key)


def _is_state(folder: Path) -> bool:
    try:
        return "_data_files" in json.loads((folder / _STATE).read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError):
        return any(folder.glob("*.arrow"))  # damaged


def _shards(folder: Path, *, key: str) -> tuple[Path, ...]:
    state = _read(folder / _STATE, key=key)
    entries = state.get("_data_files")
    if entries == []:
        raise DataError(
            f"{key}: the dataset {folder} has no rows.", remedy="save it again with rows."
        )
    listed = entries if isinstance(entries, list) else []
    names = [str(entry.get("filename")) for entry in listed if isinstance(entry, dict)]
    if not names or any(Path(name).name != name for name in names):
        raise DataError(
            f"{key}: {folder / _STATE} does not list the files of a dataset.", remedy=_REMEDY
        )
    for name in names:
        if not (folder / name).is_file():
            raise DataError(
                f"{key}: {folder} is not complete: {name} is missing "
                f"({len(names)} {'file' if len(names) == 1 else 'files'} expected).",
                remedy=_REMEDY,
            )
    return tuple(folder / name for name in names)


def _read(path: Path, *, key: str) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(values, dict):
            raise ValueError("it holds no object")
    except (OSError, ValueError) as error:
        raise DataError(f"{key}: {path} cannot be read: {error}.", remedy=_REMEDY) from error
    return values
