"""Find the data files of a source."""

import errno
import glob
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import compress
from pathlib import Path

from ftdist.errors import DataError
from ftdist.io.compression import data_suffix
from ftdist.io.hashing import file_sha256
from ftdist.io.safe_open import NOT_REGULAR, OUTSIDE
from ftdist.library.readers.discovery import PROBES, is_probes
from ftdist.library.readers.filetypes.detect import UnsupportedFile, detect_kind
from ftdist.library.readers.rows.settings import BY_FORM, RowSettings
from ftdist.library.sources.not_data import not_data
from ftdist.library.sources.reference import DataReference, hub_hint
from ftdist.library.sources.resolve import dataset_files
from ftdist.library.sources.walk import (
    files_below,
    glob_files,
    home_of,
    is_inside,
    refuse_saved_dicts,
)
from ftdist.library.store.dataset import check_unchanged
from ftdist.prepare import chunking

ROWS = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
}
"""Suffixes of files of rows, and their kind if their content does not tell."""

READABLE = (*ROWS, *chunking.SUFFIXES)
"""Each may have .gz or .zst behind it."""

_MAX_DETECTED = 20
"""Files whose content is looked at to tell whether they are documents."""

TEXT, SAMPLES = "text", "samples"
"""Kinds of a document, and of a file of a curated library."""


@dataclass(frozen=True)
class SourceFiles:
    """The files of one source, in the order in which they are read."""

    root: Path
    files: tuple[Path, ...]
    ignored: tuple[Path, ...]
    """Files of kinds that are not read, probes, and what lies beside rows."""

    key: str
    """The config key that named the source."""

    held_out: Path | None = None
    """The one of `files` whose rows are kept out of training; None: rows are chosen."""

    role: str = "library"
    """As in a curated library: library, replay or out_of_scope; empty for extra sources."""

    rows: RowSettings = BY_FORM
    """How rows are read; a curated library's are its own."""

    weight: float = 1.0
    """Of the library: how often each token is seen in a pass. Of an extra source: its tokens per
    token of the library's pass."""

    share: float | None = None
    """Of its role in all tokens of a pass, in place of a weight."""

    digests: Mapping[Path, str] = field(default_factory=dict)
    """The sha256 of files that a manifest vouches for."""

    is_curated: bool = False
    """Whether the files are those of a curated library."""

    label: str = ""
    """Of a Hub dataset, in errors; empty: the source's name in the run is."""

    origin: str = ""
    """Of a dataset: where it is from, with commit, subset and split."""

    home: Path | None = None
    """Real folder that the files must be in; None: the user named the file."""

    skipped: tuple[Path, ...] = ()
    """Those of `ignored` that a user may expect to be read: all but what lies beside rows."""

    def name(self, file: Path) -> str:
        """What a file is called in errors: its path below the source."""
        return file.relative_to(self.root).as_posix()

    def kind(self, file: Path) -> str | UnsupportedFile:
        """The kind of a file's rows, or why it cannot be read.

        Raises:
            DataError: it cannot be opened.
        """
        if self.is_curated:
            return SAMPLES
        if data_suffix(file) in chunking.SUFFIXES:
            return TEXT
        try:
            found = detect_kind(file)
        except OSError as error:
            raise _unreadable(file, error, key=self.key) from error
        if found == "probes":
            return PROBES
        by_suffix = ROWS[data_suffix(file)]
        if isinstance(found, UnsupportedFile):
            is_no_rows = by_suffix == "jsonl" and found.reason == "is empty"
            return by_suffix if is_no_rows else found
        return found if found in ROWS.values() else by_suffix

    @cached_property
    def fingerprint(self) -> list[tuple[str, str]]:
        """Name and sha256 of each file, as first asked for.

        Raises:
            DataError: a file cannot be read, or is not what the library's manifest vouches for.
        """
        digests = []
        for file in self.files:
            try:
                digest = file_sha256(file)
            except OSError as error:
                raise _unreadable(file, error, key=self.key) from error
            if file in self.digests:
                check_unchanged(file, digest=digest, expected=self.digests[file])
            digests.append((self.name(file), digest))
        return digests


def find_files(reference: DataReference, *, key: str) -> SourceFiles:
    """The conversations and texts at a path: a dataset, a file, a glob, a folder with all below it.

    Hidden files, `probes*.jsonl` (questions that measure what was learned) and what lies beside the
    rows of datasets and curated libraries are left out.

    Args:
        reference: the path as the config gave it, with subset and split.
        key: the config key that named the path, for errors.

    Raises:
        DataError: there is nothing at that path, or nothing that can be read.
    """
    named = Path(reference.path).expanduser()
    dataset = dataset_files(reference, key=key)
    if dataset is not None:
        root, paths = dataset.root, list(dataset.files)
    else:
        root, paths = _files_at(named, key=key)
    home = home_of(root) if paths != [named] else None
    _refuse_unsafe(paths, home=home, key=key)
    found = [file for file in paths if file != named]
    beside = not_data(found, key=key) if reference.split is None else set()
    is_data = [_is_data(file) and file not in beside for file in paths]
    files = tuple(compress(paths, is_data))
    ignored = tuple(file for file, is_read in zip(paths, is_data, strict=True) if not is_read)
    if not files:
        raise _nothing_to_read(reference.path, ignored, key=key)
    if dataset is not None and dataset.split is not None:
        _refuse_missing(ignored, split=dataset.split, reference=reference, key=key)
    return SourceFiles(
        root=root,
        files=files,
        home=home,
        ignored=ignored,
        skipped=tuple(file for file in ignored if file not in beside),
        key=key,
        label=dataset.label if dataset else "",
        origin=dataset.origin if dataset else "",
    )


def _refuse_unsafe(paths: Sequence[Path], *, home: Path | None, key: str) -> None:
    """Refuse what is no regular file, and links that lead out.

    Raises:
        DataError: there is one.
    """
    for path in paths:
        try:
            if path.exists() and not path.is_file():
                raise OSError(errno.EINVAL, f"it {NOT_REGULAR}", str(path))
            if home is not None and not is_inside(path, home):
                raise OSError(errno.EXDEV, OUTSIDE, str(path))
        except OSError as error:
            raise _unreadable(path, error, key=key) from error


def _refuse_missing(
    ignored: Sequence[Path], *, split: str, reference: DataReference, key: str
) -> None:
    """Refuse to learn a part of a split."""
    names = [file.name for file in ignored if not is_probes(file)]
    if names:
        more = ", ..." if len(names) > 3 else ""
        raise DataError(
            f"{key}: of the split {split} of {reference.path}, ftdist cannot read "
            f"{', '.join(names[:3])}{more}.",
            remedy="convert these files to JSONL or Parquet, or name the files to read: "
            "hf://datasets/ORG/NAME/PATH, or a local path.",
        )


def _files_at(path: Path, *, key: str) -> tuple[Path, list[Path]]:
    """The folder that files are named below, and all files."""
    try:
        if path.is_dir():
            files = sorted(files_below(path, on_error=_raise))
            refuse_saved_dicts(files, key=key)
            return path, files
        if path.exists():
            return path.parent, [path]
        if glob.has_magic(str(path)):
            return glob_files(path, key=key, on_error=_raise)
    except OSError as error:
        raise _unreadable(Path(error.filename or path), error, key=key) from error
    raise DataError(
        f"{key}={path} does not exist.",
        remedy=f"set {key} to a folder or file{hub_hint(str(path))}.",
    )


def _nothing_to_read(path: str, ignored: Sequence[Path], *, key: str) -> DataError:
    kinds = sorted({file.suffix or file.name for file in ignored})
    holds = f"only {', '.join(kinds)}" if kinds else "no file"
    probes = " (probes are questions to measure with, not to learn)"
    remedy = f"set {key} to a folder or file of conversations or text."
    if has_documents(ignored):
        library = f"; then set {key}=libraries/NAME" if key == "library.path" else ""
        remedy = f"make a library of these documents: {curate_command(Path(path))}{library}."
    return DataError(
        f"{key}={path} holds {holds}{probes if any(map(is_probes, ignored)) else ''}, "
        f"none of {' '.join(READABLE)}.",
        remedy=remedy,
    )


def has_documents(files: Sequence[Path]) -> bool:
    """Whether there is a document, such as a PDF, among the first of some files."""
    return any(map(_is_document, files[:_MAX_DETECTED]))


def _is_document(file: Path) -> bool:
    try:
        kind = detect_kind(file)
    except OSError:
        return False
    return isinstance(kind, str) and kind not in (*ROWS.values(), "probes", "text")


def curate_command(path: Path) -> str:
    """The command that makes a library of the documents at a path."""
    return shlex.join(["ftdist", "curate", "library.name=NAME", f"library.sources=[{path}]"])


def _raise(error: OSError) -> None:
    raise error


def _unreadable(path: Path, error: OSError, *, key: str) -> DataError:
    problem = f"{key}: {path} cannot be read: {error.strerror}."
    if error.errno == errno.EINVAL:
        return DataError(problem, remedy="remove it.")
    if error.errno == errno.EXDEV:
        return DataError(problem, remedy="replace the link with a copy of what it points to.")
    return DataError(
        problem,
        remedy=f"give yourself the right to read it, or set {key} to another folder or file.",
    )


def _is_data(file: Path) -> bool:
    return data_suffix(file) in READABLE and not is_probes(file)
