"""Subsets, splits and data files of a dataset repository, as `datasets` finds them.

`datasets` reads the YAML of README.md and the names of the files; no data is read, and no script is
run. It is imported here alone, at need: it takes seconds.
"""

import os
import tempfile
import zipfile
from collections.abc import Collection
from pathlib import Path

import yaml

from ftdist.errors import DataError
from ftdist.library.sources.choice import choose
from ftdist.library.sources.reference import DataReference

CARD_FILES = ("README.md", ".huggingface.yaml", "dataset_infos.json")
"""What `datasets` reads of a repository besides the names of its files."""


def has_configs(folder: Path) -> bool:
    """Whether the YAML of a folder's README.md names its data files."""
    try:
        head, _, rest = (folder / "README.md").read_text(encoding="utf-8").partition("---\n")
        values = None if head.strip() else yaml.safe_load(rest.partition("\n---")[0])
    except (OSError, ValueError, yaml.YAMLError):
        return False
    return isinstance(values, dict) and bool(values.get("configs"))


def repository_files(
    folder: Path, *, reference: DataReference, key: str
) -> tuple[str | None, str, tuple[Path, ...]]:
    """The chosen subset and split, and their files in the order in which `datasets` reads them.

    Args:
        folder: of the repository; its data files may be empty.
        reference: says which subset and split.
        key: the config key of the data path, for errors.

    Raises:
        DataError: there is no such subset or split, or several and none was chosen; or `datasets`
            finds no data files.
    """
    subset, splits = _find_splits(folder, reference=reference, key=key)
    split = choose(list(splits), option="split", default="train", reference=reference, key=key)
    root = Path(os.path.realpath(folder))
    for file in splits[split]:
        if not file.is_relative_to(root) and not file.is_relative_to(folder):
            raise DataError(
                f"{key}: {reference.path} takes data from elsewhere: {file}.",
                remedy="name that place itself as a source.",
            )
    return (None if subset == "default" else subset), split, tuple(splits[split])


def _find_splits(
    folder: Path, *, reference: DataReference, key: str
) -> tuple[str, dict[str, list[Path]]]:
    """The chosen subset, and the data files of its splits."""
    from datasets import (
        get_dataset_config_names,
        get_dataset_default_config_name,
        load_dataset_builder,
    )
    from datasets.exceptions import DataFilesNotFoundError, DatasetNotFoundError

    where = str(folder)
    with tempfile.TemporaryDirectory(prefix="ftdist-") as cache:
        try:
            subsets = [str(name) for name in get_dataset_config_names(where)]
            default = get_dataset_default_config_name(where)
            subset = choose(subsets, option="subset", default=default, reference=reference, key=key)
            builder = load_dataset_builder(where, name=subset, cache_dir=cache)
            found = builder.config.data_files or {}
        except DataError:
            raise
        except RuntimeError as error:
            if "scripts are no longer supported" not in str(error):
                raise
            raise _script(reference, key=key) from error
        except zipfile.BadZipFile as error:  # it looks inside for the kind of the data
            raise DataError(
                f"{key}: {reference.path} holds .zip files; ftdist opens none.",
                remedy="unpack them and name the folder, or name other files in it: "
                "hf://datasets/ORG/NAME/PATH.",
            ) from error
        except (DataFilesNotFoundError, DatasetNotFoundError, FileNotFoundError) as error:
            raise DataError(
                f"{key}: {reference.path} holds no data files that `datasets` knows.",
                remedy="name files in it: hf://datasets/ORG/NAME/PATH, or a local path.",
            ) from error
        except (ValueError, TypeError, yaml.YAMLError) as error:
            reason = " ".join(str(error).split())[:300]
            raise DataError(
                f"{key}: `datasets` cannot read the README.md of {reference.path}: {reason}",
                remedy="name files in it: hf://datasets/ORG/NAME/PATH, or a local path.",
            ) from error
    return subset, {str(split): [Path(file) for file in files] for split, files in found.items()}


def _script(reference: DataReference, *, key: str) -> DataError:
    return DataError(
        f"{key}: {reference.path} is loaded by a script of its own, which neither `datasets` nor "
        "ftdist runs.",
        remedy="name the Hub's Parquet copy of it, "
        "hf://datasets/ORG/NAME@refs/convert/parquet/SUBSET/SPLIT, or data files in it: "
        "hf://datasets/ORG/NAME/PATH.",
    )


def files_inside(names: Collection[str], *, inside: str) -> list[str]:
    """The files of a repository at a path in it: a file, all below a folder, or those of a glob.

    A glob matches as among local files. Only a file's own path names one that is hidden, or that
    describes the dataset.
    """
    if inside in names:
        return [inside]
    below = f"{inside}/"
    shown = {name for name in names if not _is_hidden(name) and name not in CARD_FILES}
    in_folder = [
        name for name in names if name.startswith(below) and not _is_hidden(name[len(below) :])
    ]
    if in_folder:
        return sorted(in_folder)
    with tempfile.TemporaryDirectory(prefix="ftdist-") as temporary:
        root = Path(temporary)
        for name in shown:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).touch()
        try:
            matches = list(root.glob(f"{inside}/*" if inside.endswith("**") else inside))
        except ValueError:  # ** beside other characters
            return []
        return sorted(shown & {match.relative_to(root).as_posix() for match in matches})


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") for part in name.split("/"))
