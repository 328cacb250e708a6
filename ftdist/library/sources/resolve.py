"""A data path to local files, with what it was resolved to."""

from dataclasses import dataclass
from pathlib import Path

from ftdist.errors import DataError
from ftdist.library.sources.hub import hub_files
from ftdist.library.sources.reference import DataReference, hub_path, refuse_slice
from ftdist.library.sources.repository import has_configs, repository_files
from ftdist.library.sources.saved_dataset import is_saved, saved_files


@dataclass(frozen=True, kw_only=True)
class DatasetFiles:
    """The files of a dataset.

    Attributes:
        root: folder that the files are named below.
        files: in the order of reading.
        label: of the dataset in messages; empty: it is local.
        origin: where it is from, for records: commit, subset, split and the revision asked for.
    split: that the files are; None: the files were named, or it has no splits.
    """

    root: Path
    files: tuple[Path, ...]
    label: str = ""
    origin: str = ""
    split: str | None = None


def dataset_files(reference: DataReference, *, key: str) -> DatasetFiles | None:
    """The files of a dataset: of the Hub, from the cache alone; saved; or a repository folder.

    Returns:
        None if the path is that of other files or folders.

    Raises:
        DataError: it does not exist, a subset or split must be chosen, or a file is missing.
    """
    refuse_slice(reference, key=key)
    if hub := hub_path(reference.path, key=key):
        found = hub_files(hub, reference=reference, key=key, local_only=True)
        return DatasetFiles(
            root=found.root,
            files=found.files,
            label=found.hub.label,
            origin=origin_of(found.reference),
            split=found.reference.split,
        )
    if reference.revision is not None:
        raise DataError(
            f"{key}: {reference.path} is local, and revision={reference.revision} is asked for.",
            remedy="leave revision out; only datasets of the Hub have revisions.",
        )
    folder = Path(reference.path).expanduser()
    try:
        is_repository = not is_saved(folder) and has_configs(folder)
        if is_saved(folder) and reference.subset is None:
            split, files = saved_files(folder, reference=reference, key=key)
            if split is not None or reference.split is None:
                chosen = DataReference(path=str(folder), split=split)
                return _local(folder, files, chosen)
    except OSError:
        return None  # whoever reads it says what is wrong
    if is_repository:
        subset, split, files = repository_files(folder.resolve(), reference=reference, key=key)
        chosen = DataReference(path=str(folder), subset=subset, split=split)
        return _local(folder.resolve(), files, chosen)
    for option in ("subset", "split"):
        if wanted := getattr(reference, option):
            raise DataError(
                f"{key}: {reference.path} is no dataset with {option}s, and {option}={wanted} is "
                "asked for.",
                remedy=f"leave {option} out, or name the files themselves.",
            )
    return None


def _local(root: Path, files: tuple[Path, ...], chosen: DataReference) -> DatasetFiles:
    return DatasetFiles(root=root, files=files, origin=origin_of(chosen), split=chosen.split)


def origin_of(reference: DataReference) -> str:
    """A resolved data path as a record shows it."""
    options = {"revision": reference.revision, "subset": reference.subset, "split": reference.split}
    given = ", ".join(f"{name} {value}" for name, value in options.items() if value)
    return f"{reference.path} ({given})" if given else reference.path
