"""Source discovery: expand files, folders and globs to the files of a curation, each once."""

import errno
import glob
import json
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ftdist.errors import DataError
from ftdist.library.readers import printable
from ftdist.library.readers.filetypes.detect import UnsupportedFile, detect_kind
from ftdist.library.schema import BadRow, Location

_ASSETS = (
    *(".css", ".js", ".map", ".png", ".gif", ".jpg", ".jpeg", ".svg", ".webp", ".ico", ".bmp"),
    *(".woff", ".woff2", ".ttf", ".otf", ".eot", ".mp3", ".mp4", ".webm"),
)
"""Files that decorate pages; only listed among the ignored files."""


_OF_DATASETS = ("dataset_info.json", "dataset_dict.json", "state.json")
"""What the library `datasets` saves beside its Arrow files."""


@dataclass(frozen=True)
class FoundFile:
    """A file to read: its path, its name below its source, its kind."""

    path: Path
    name: str
    kind: str


@dataclass(frozen=True, kw_only=True)
class FoundSource:
    """One source: files to read, files that cannot be read, and files ignored."""

    name: str
    files: tuple[FoundFile, ...]
    bad: tuple[BadRow, ...]
    ignored: tuple[str, ...]


def find_sources(entries: Sequence[str], *, key: str) -> tuple[FoundSource, ...]:
    """Find the files of each entry, sorted by name.

    Args:
        entries: files, folders (recursively) and globs; `name=path` names a source.
        key: the config key of the entries, for messages.

    Raises:
        DataError: an entry does not exist, or contains nothing to read.
    """
    taken: set[str] = set()
    seen: dict[str, str] = {}
    try:
        return tuple(_find(entry, key=key, taken=taken, seen=seen) for entry in entries)
    except OSError as error:
        raise DataError(
            f"{key}: {error.filename} cannot be read: {error.strerror}.", remedy=_REMEDY_RIGHT
        ) from error


def _find(entry: str, *, key: str, taken: set[str], seen: dict[str, str]) -> FoundSource:
    given, path = _split(entry)
    name = _unique(given or _default_name(path), taken)
    files: list[FoundFile] = []
    bad: list[BadRow] = []
    ignored: list[str] = []
    named = Path(path).expanduser()
    root, paths = _expand(named, key=key, bad=bad, source=name)
    for file in paths:
        below = printable(file.relative_to(root).as_posix())
        location = Location(f"{name}: {below}")
        real = os.path.realpath(file)
        if file.suffix.lower() in _ASSETS or (file != named and _is_companion(file)):
            ignored.append(below)
        elif real in seen:
            ignored.append(f"{below} (the same file as {seen[real]})")
        else:
            kind = _kind(file)
            if kind == "probes":
                if file != named:
                    ignored.append(f"{below} (probes)")
                    continue
                kind = _PROBES
            if isinstance(kind, UnsupportedFile):
                bad.append(BadRow(kind.reason, location, kind.remedy))
                continue
            seen[real] = str(location)
            files.append(FoundFile(file, below, kind))
    if not files and not bad:
        raise DataError(
            f"{key}: {path} contains nothing to read.",
            remedy="name a file or folder of documents or conversations.",
        )
    return FoundSource(name=name, files=tuple(files), bad=tuple(bad), ignored=tuple(ignored))


def _kind(file: Path) -> str | UnsupportedFile:
    try:
        if not stat.S_ISREG(file.stat().st_mode):  # reading a pipe would block
            return UnsupportedFile("is not a file but a pipe, socket or device", "Remove it.")
        return detect_kind(file)
    except OSError as error:
        remedy = _REMEDY_RIGHT if error.errno in (errno.EACCES, errno.EPERM) else _REMEDY_GONE
        return UnsupportedFile(f"cannot be read: {error.strerror}", remedy)


_PROBES = UnsupportedFile("holds probes, which are never learned", "Name it in eval.probes.")
_REMEDY_GONE = "Restore the file, or remove the link to it."
_REMEDY_LINK = "Replace the link with a copy, or add its target as a source."
_REMEDY_RIGHT = "Grant yourself permission to read it, or remove it."


def _split(entry: str) -> tuple[str, str]:
    """Name and path of an entry; an existing path that contains `=` has no name."""
    name, equals, path = entry.partition("=")
    if not equals or "/" in name or Path(entry).expanduser().exists():
        return "", entry
    return name, path


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
            shown = printable(f"{named if below == Path() else below.as_posix()}")
            location = Location(f"{source}: {shown}{'' if is_link else '/'}")
            remedy = _REMEDY_LINK if is_link else _REMEDY_RIGHT
            bad.append(BadRow(f"cannot be read: {error.strerror}", location, remedy))

        return named, list(files_below(named, on_error=report))
    if named.exists():
        return named.parent, [named]
    if not glob.has_magic(str(named)):
        raise DataError(
            f"{key}: {named} does not exist.", remedy="name an existing file or folder."
        )
    first = next(i for i, part in enumerate(named.parts) if glob.has_magic(part))
    root, pattern = Path(*named.parts[:first]), Path(*named.parts[first:])
    try:
        matches = sorted(root.glob(str(pattern / "*" if pattern.name == "**" else pattern)))
    except ValueError as error:
        raise DataError(
            f"{key}: {named} is not a valid glob pattern.",
            remedy="write ** alone between slashes: docs/**/*.html.",
        ) from error
    files = [file for file in matches if file.is_file() and not _is_hidden(file.relative_to(root))]
    if not files:
        raise DataError(f"{key}: no file matches {named}.", remedy="correct the pattern.")
    home = _home(root)
    for file in [file for file in files if not _is_below(file, home)]:
        files.remove(file)
        location = Location(f"{source}: {printable(file.relative_to(root).as_posix())}")
        bad.append(BadRow(f"cannot be read: {_OUTSIDE}", location, _REMEDY_LINK))
    return root, files


def _is_hidden(below: Path) -> bool:
    return any(part.startswith(".") for part in below.parts)


def files_below(folder: Path, *, on_error: Callable[[OSError], None]) -> Iterator[Path]:
    """All files below a folder, by name, without hidden ones; each folder is read once.

    Links are followed within the folder. A snapshot in the Hugging Face hub's cache consists of
    links to the `blobs` beside it, which count as within.

    Args:
        folder: to look in.
        on_error: called for each folder that cannot be read, and for each link that leads out of
            the folder (`errno.EXDEV`), which is not followed.
    """
    home = _home(folder)
    seen: set[str] = set()
    for here, folders, names in os.walk(folder, followlinks=True, onerror=on_error):
        real = os.path.realpath(here)
        if real in seen:  # links may lead round in a circle
            folders.clear()
            continue
        seen.add(real)
        inside = {name: _is_below(Path(here) / name, home) for name in (*folders, *names)}
        for name, is_inside in sorted(inside.items()):
            if not is_inside and not name.startswith("."):
                on_error(OSError(errno.EXDEV, _OUTSIDE, str(Path(here) / name)))
        folders[:] = sorted(name for name in folders if inside[name] and not name.startswith("."))
        yield from (
            Path(here) / name for name in sorted(names) if inside[name] and not name.startswith(".")
        )


_OUTSIDE = "it is a link that points outside its folder"


def _home(folder: Path) -> Path:
    """The real folder that links may not leave."""
    real = Path(os.path.realpath(folder))
    is_snapshot = real.parent.name == "snapshots" and (real.parents[1] / "blobs").is_dir()
    return real.parents[1] if is_snapshot else real


def _is_below(path: Path, home: Path) -> bool:
    """Whether a path is no link, or one to something below `home`."""
    if not os.path.islink(path):  # noqa: PTH114 - False without permission
        return True
    real = Path(os.path.realpath(path))
    # A link to nothing, or to itself, is reported when it is read.
    return real.is_relative_to(home) or not real.exists()


def _is_companion(file: Path) -> bool:
    """Whether a file only describes data, or holds probes."""
    is_of_dataset = file.name in _OF_DATASETS and any(file.parent.rglob("*.arrow"))
    return is_of_dataset or is_probes(file)


def is_probes(file: Path) -> bool:
    """Whether a file holds questions to measure with, which are never trained on.

    They are in `probes.jsonl`, or in a file `probes*.jsonl` whose first row has their keys.
    """
    if not file.name.startswith("probes") or file.suffix != ".jsonl":
        return False
    if file.name == "probes.jsonl":
        return True
    try:
        with file.open("rb") as opened:
            first = json.loads(opened.readline(_MAX_PROBE))
    except (OSError, ValueError, RecursionError):
        return False  # its reader says what is wrong with it
    return isinstance(first, dict) and "keys" in first


_MAX_PROBE = 2**20
