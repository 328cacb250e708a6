"""Files beside the rows of datasets and curated libraries that are not to be learned."""

import re
from collections.abc import Collection
from pathlib import Path

from ftdist.library.sources.reference import DataReference
from ftdist.library.sources.saved_dataset import is_saved, is_saved_dict, saved_files
from ftdist.library.store.dataset import MANIFEST, is_curated, is_held_out

_OF_DATASETS = ("dataset_info.json", "dataset_dict.json", "state.json")
"""What the library `datasets` saves beside its Arrow files."""

_OF_LIBRARIES = (MANIFEST, "README.md", "index.html")
"""What a curated library has beside its data."""

_RESULT = re.compile(r"cache-[0-9a-f]{16}(_\d{5}_of_\d{5})?\.arrow")
"""Rows that `map` and `filter` of `datasets` made of those beside it."""


def not_data(files: Collection[Path], *, key: str) -> set[Path]:
    """Those of the files found below a folder that are not to be learned.

    They describe the data beside them, are held out in a curated library, or lie in the folder of a
    saved dataset, which does not consist of them: results that `map` cached, earlier shards.

    Args:
        files: below a folder, or that match a glob.
        key: the config key that named it, for errors.

    Raises:
        DataError: a saved dataset is damaged.
    """
    shards = {
        folder: saved_files(folder, reference=DataReference(path=str(folder)), key=key)[1]
        for folder in {file.parent for file in files}
        if is_saved(folder) and not is_saved_dict(folder)
    }
    return {
        file
        for file in files
        if (file.parent in shards and file not in shards[file.parent]) or _is_companion(file)
    }


def _is_companion(file: Path) -> bool:
    if file.name in _OF_DATASETS:
        return any(file.parent.rglob("*.arrow"))
    if file.name in _OF_LIBRARIES:
        return is_curated(file.parent)
    is_result = _RESULT.fullmatch(file.name) and (file.parent / "dataset_info.json").exists()
    return bool(is_result) or is_held_out(file)
