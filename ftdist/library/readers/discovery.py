"""Source discovery: expand files, folders and globs to the files of a curation, each once."""

import errno
import json
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ftdist.config.schema.data_source import SourceEntry, split_name
from ftdist.errors import DataError
from ftdist.io.safe_open import NOT_REGULAR, OUTSIDE, open_regular
from ftdist.library.readers import printable
from ftdist.library.readers.filetypes.detect import UnsupportedFile, detect_kind
from ftdist.library.schema import BadRow, Location
from ftdist.library.sources.not_data import not_data
from ftdist.library.sources.reference import DataReference, source_name
from ftdist.library.sources.resolve import dataset_files
from ftdist.library.sources.walk import (
    files_below,
    glob_files,
    home_of,
    is_inside,
    refuse_saved_dicts,
)
from ftdist.library.store.dataset import PROBES_FILE, PROBES_TABLE, is_curated

_ASSETS = (
    *(".css", ".js", ".map", ".png", ".gif", ".jpg", ".jpeg", ".svg", ".webp", ".ico", ".bmp"),
    *(".woff", ".woff2", ".ttf", ".otf", ".eot", ".mp3", ".mp4", ".webm"),
)
"""Files that decorate pages; only listed among the ignored files."""


@dataclass(frozen=True)
class FoundFile:
    """A file to read: its path, its name below its source, its kind."""

    path: Path
    name: str
    kind: str
    home: Path | None = None
    """Real folder that it must be in; None: the user named the file."""


@dataclass(frozen=True, kw_only=True)
class FoundSource:
    """One source: files to read, files that cannot be read, and files ignored.

    Attributes:
        columns: of its rows; empty: those of the whole library.
        label: of a Hub dataset, in messages; of others the name of the source.
        origin: where a dataset is from, with commit, subset and split; empty: it is none.
    """

    name: str
    files: tuple[FoundFile, ...]
    bad: tuple[BadRow, ...]
    ignored: tuple[str, ...]
    label: str
    columns: dict[str, str] = field(default_factory=dict)
    origin: str = ""


def find_sources(
    entries: Sequence[str | SourceEntry], *, key: str, others: Sequence[FoundSource] = ()
) -> tuple[FoundSource, ...]:
    """Find the files of each entry: of a dataset in its order, of others sorted by name.

    Args:
        entries: files, folders (recursively), globs and datasets; the text `name=path` names a
            source.
        key: the config key of the entries, for messages.
        others: sources found before, whose names and files are taken.

    Raises:
        DataError: an entry does not exist, or contains nothing to read.
    """
    taken = {source.name for source in others}
    seen = {
        os.path.realpath(file.path): f"{source.label}: {file.name}"
        for source in others
        for file in source.files
    }
    try:
        return tuple(_find(split_name(entry), key=key, taken=taken, seen=seen) for entry in entries)
    except OSError as error:
        raise DataError(
            f"{key}: {error.filename} cannot be read: {error.strerror}.", remedy=_REMEDY_RIGHT
        ) from error


def _find(entry: SourceEntry, *, key: str, taken: set[str], seen: dict[str, str]) -> FoundSource:
    path = entry.path
    files: list[FoundFile] = []
    bad: list[BadRow] = []
    ignored: list[str] = []
    named = Path(path).expanduser()
    reference = DataReference(
        path=path, subset=entry.subset, split=entry.split, revision=entry.revision
    )
    dataset = dataset_files(reference, key=key)
    is_of_hub = dataset is not None and bool(dataset.label)
    name = _unique(entry.name or (source_name(path) if is_of_hub else _default_name(path)), taken)
    label = dataset.label if dataset is not None and is_of_hub else name
    root, paths = (
        (dataset.root, list(dataset.files))
        if dataset is not None
        else _expand(named, key=key, bad=bad, source=name)
    )
    home = home_of(root)
    beside = not_data([f for f in paths if f != named], key=key) if entry.split is None else set()
    for file in paths:
        below = printable(file.relative_to(root).as_posix())
        location = Location(f"{label}: {below}")
        real = os.path.realpath(file)
        is_aside = file != named and (file in beside or is_probes(file))
        if is_aside or file.suffix.lower() in _ASSETS:
            ignored.append(below)
        elif real in seen:
            ignored.append(f"{below} (the same file as {seen[real]})")
        else:
            within = None if file == named else home
            kind = _kind(file, home=within)
            if kind == "probes":
                ignored.append(f"{below} (probes)")
            elif isinstance(kind, UnsupportedFile):
                bad.append(BadRow(kind.reason, location, kind.remedy))
            else:
                seen[real] = str(location)
                files.append(FoundFile(file, below, kind, within))
    if not files and not bad:
        raise _nothing_to_read(f"{key}: {path}", any(os.path.realpath(f) in seen for f in paths))
    return FoundSource(
        name=name,
        files=tuple(files),
        bad=tuple(bad),
        ignored=tuple(ignored),
        label=label,
        columns=entry.columns,
        origin=dataset.origin if dataset else "",
    )


def _nothing_to_read(what: str, is_read_elsewhere: bool) -> DataError:
    if is_read_elsewhere:
        return DataError(f"{what} contains only files of other sources.", remedy="leave it out.")
    return DataError(
        f"{what} contains nothing to read.",
        remedy="name a file or folder of documents or conversations.",
    )


def _kind(file: Path, *, home: Path | None) -> str | UnsupportedFile:
    """The kind of a file below a folder, or of one that the user named."""
    try:
        if not stat.S_ISREG(file.stat().st_mode):
            return UnsupportedFile(NOT_REGULAR, "Remove it.")
        if home is not None and not is_inside(file, home):  # of a dataset
            return UnsupportedFile(f"cannot be read: {OUTSIDE}", _REMEDY_LINK)
        kind = detect_kind(file)
        return PROBES if kind == "probes" and home is None else kind
    except OSError as error:
        remedy = _REMEDY_RIGHT if error.errno in (errno.EACCES, errno.EPERM) else _REMEDY_GONE
        return UnsupportedFile(f"cannot be read: {error.strerror}", remedy)


PROBES = UnsupportedFile("holds probes, which are never learned", "Name it in eval.probes.")
_REMEDY_GONE = "Restore the file, or remove the link to it."
_REMEDY_LINK = "Replace the link with a copy, or add its target as a source."
_REMEDY_RIGHT = "Grant yourself permission to read it, or remove it."


def _default_name(path: str) -> str:
    fixed = path.split("*")[0] if "*" in path else path
    stem = Path(fixed.rstrip("/") or "/").absolute()
    name = stem.name if stem.is_dir() else stem.stem
    return "".join(c if c.isalnum() or c in "._-" else "-" for c in name) or "source"


def _unique(name: str, taken: set[str]) -> str:
    number, unique = 1, name
    while unique in taken:
        number += 1
        unique = f"{name}-{number}"
    taken.add(unique)
    return unique


def _expand(named: Path, *, key: str, bad: list[BadRow], source: str) -> tuple[Path, list[Path]]:
    """The folder that file names are relative to, and all files."""
    if named.is_dir():

        def report(error: OSError) -> None:
            below = Path(error.filename).relative_to(named)
            is_link = error.errno == errno.EXDEV
            shown = printable(below.as_posix() if below.parts else named.absolute().name)
            location = Location(f"{source}: {shown}{'' if is_link else '/'}")
            remedy = _REMEDY_LINK if is_link else _REMEDY_RIGHT
            bad.append(BadRow(f"cannot be read: {error.strerror}", location, remedy))

        files = list(files_below(named, on_error=report))
        refuse_saved_dicts(files, key=key)
        return named, files
    if named.exists():
        return named.parent, [named]

    def report_link(error: OSError) -> None:
        location = Location(f"{source}: {printable(error.filename)}")
        bad.append(BadRow(f"cannot be read: {error.strerror}", location, _REMEDY_LINK))

    return glob_files(named, key=key, on_error=report_link)


def is_probes(file: Path) -> bool:
    """Whether a file holds questions to measure with, which are never trained on.

    They are in `probes.jsonl`, in its table in a library, or in a file `probes*.jsonl` whose first
    row has their keys.
    """
    if file.absolute().as_posix().endswith(f"/{PROBES_TABLE}"):
        return is_curated(file.absolute().parents[1])
    if not file.name.startswith("probes") or file.suffix != ".jsonl":
        return False
    if file.name == PROBES_FILE:
        return True
    try:
        with open_regular(file) as opened:
            first = json.loads(opened.readline(_MAX_PROBE))
    except (OSError, ValueError, RecursionError):
        return False  # its reader says what is wrong with it
    return isinstance(first, dict) and "keys" in first


_MAX_PROBE = 2**20
