"""Find the data files of a source."""

import errno
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ftdist.errors import DataError
from ftdist.io.hashing import file_sha256
from ftdist.library.readers.discovery import files_below, is_probes
from ftdist.library.readers.rows import chat_formats
from ftdist.library.readers.rows.settings import BY_FORM, RowSettings
from ftdist.prepare import chunking

READABLE = (*chat_formats.SUFFIXES, *chunking.SUFFIXES)


@dataclass(frozen=True)
class SourceFiles:
    """The files of one source, in the order in which they are read."""

    root: Path
    files: tuple[Path, ...]
    ignored: tuple[Path, ...]
    """Files of kinds that are not read, and probes."""

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

    def name(self, file: Path) -> str:
        """What a file is called in errors: its path below the source."""
        return file.relative_to(self.root).as_posix()

    @cached_property
    def fingerprint(self) -> list[tuple[str, str]]:
        """Name and sha256 of each file, as first asked for."""
        digests = []
        for file in self.files:
            try:
                digest = file_sha256(file)
            except OSError as error:
                raise _unreadable(file, error, key=self.key) from error
            digests.append((self.name(file), digest))
        return digests


def find_files(path: Path, *, key: str) -> SourceFiles:
    """The conversations and texts at `path`: a file, or a folder with all below it.

    Hidden files and `probes*.jsonl` (questions that measure what was learned) are left out.

    Args:
        path: as the config gave it.
        key: the config key that named the path, for errors.

    Raises:
        DataError: there is nothing at that path, or nothing that can be read.
    """
    try:
        if not path.exists():
            raise DataError(
                f"{key}={path} does not exist.", remedy=f"set {key} to a folder or file."
            )
        paths = sorted(files_below(path, on_error=_raise)) if path.is_dir() else [path]
    except OSError as error:
        raise _unreadable(Path(error.filename or path), error, key=key) from error
    files = tuple(file for file in paths if _is_data(file))
    ignored = tuple(file for file in paths if not _is_data(file))
    if not files:
        kinds = sorted({file.suffix or file.name for file in ignored})
        holds = f"only {', '.join(kinds)}" if kinds else "no file"
        probes = " (probes are questions to measure with, not to learn)"
        raise DataError(
            f"{key}={path} holds {holds}{probes if any(map(is_probes, ignored)) else ''}, "
            f"none of {' '.join(READABLE)}.",
            remedy=f"set {key} to a folder or file of conversations or text.",
        )
    return SourceFiles(
        root=path if path.is_dir() else path.parent, files=files, ignored=ignored, key=key
    )


def _raise(error: OSError) -> None:
    raise error


def _unreadable(path: Path, error: OSError, *, key: str) -> DataError:
    problem = f"{key}: {path} cannot be read: {error.strerror}."
    if error.errno == errno.EXDEV:
        return DataError(problem, remedy="replace the link with a copy of what it points to.")
    return DataError(
        problem,
        remedy=f"give yourself the right to read it, or set {key} to another folder or file.",
    )


def _is_data(file: Path) -> bool:
    return file.suffix.lower() in READABLE and not is_probes(file)
