"""Which files a curation reads: files, folders and globs, each file once."""

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ftdist.errors import DataError
from ftdist.library.read.kinds import NotRead, kind_of
from ftdist.library.rows import BadRow, Place

_ASSETS = (
    *(".css", ".js", ".map", ".png", ".gif", ".jpg", ".jpeg", ".svg", ".webp", ".ico", ".bmp"),
    *(".woff", ".woff2", ".ttf", ".otf", ".eot", ".mp3", ".mp4", ".webm"),
)
"""What pages are decorated with; left out without a word but in the list of ignored files."""


@dataclass(frozen=True)
class FoundFile:
    """A file to read: its path, its name below its source, its kind."""

    path: Path
    name: str
    kind: str


@dataclass(frozen=True, kw_only=True)
class FoundSource:
    """One source: what is read, what cannot be, and what was passed over."""

    name: str
    files: tuple[FoundFile, ...]
    bad: tuple[BadRow, ...]
    ignored: tuple[str, ...]


def find_sources(entries: Sequence[str], *, key: str) -> tuple[FoundSource, ...]:
    """The files of each entry, in the order of their names.

    Args:
        entries: files, folders (with all below them) and globs; `name=path` names a source.
        key: the config key that holds them, for errors.

    Raises:
        DataError: an entry is not there, or holds nothing to read.
    """
    taken: set[str] = set()
    seen: dict[str, str] = {}
    return tuple(_find(entry, key=key, taken=taken, seen=seen) for entry in entries)


def _find(entry: str, *, key: str, taken: set[str], seen: dict[str, str]) -> FoundSource:
    given, path = _split(entry)
    name = _free(given or _own_name(path), taken)
    files: list[FoundFile] = []
    bad: list[BadRow] = []
    ignored: list[str] = []
    root, found = _paths(path, key=key, bad=bad, source=name)
    for file in found:
        below = file.relative_to(root).as_posix()
        place = Place(f"{name}: {below}")
        real = os.path.realpath(file)
        if file.suffix.lower() in _ASSETS or _is_probes(file):
            ignored.append(below)
        elif file.is_symlink() and not Path(real).is_relative_to(os.path.realpath(root)):
            bad.append(BadRow("is a link that leads out of its folder", place, _REMEDY_LINK))
        elif real in seen:
            ignored.append(f"{below} (the same file as {seen[real]})")
        else:
            try:
                kind = kind_of(file)
            except OSError as error:
                kind = NotRead(f"cannot be read: {error.strerror}", _REMEDY_RIGHT)
            if isinstance(kind, NotRead):
                bad.append(BadRow(kind.reason, place, kind.remedy))
                continue
            seen[real] = str(place)
            files.append(FoundFile(file, below, kind))
    if not files and not bad:
        raise DataError(
            f"{key}: {path} holds nothing to read.",
            remedy="name a folder or file of documents or conversations.",
        )
    return FoundSource(name=name, files=tuple(files), bad=tuple(bad), ignored=tuple(ignored))


_REMEDY_LINK = "Put a copy of the file in its place, or name the file itself as a source."
_REMEDY_RIGHT = "Give yourself the right to read it, or leave it out."


def _split(entry: str) -> tuple[str, str]:
    """Name and path of an entry; a path that holds a `=` itself has no name."""
    name, equals, path = entry.partition("=")
    if not equals or "/" in name or Path(entry).expanduser().exists():
        return "", entry
    return name, path


def _own_name(path: str) -> str:
    fixed = path.split("*")[0] if "*" in path else path
    stem = Path(fixed.rstrip("/") or "/").absolute()
    name = stem.name if stem.is_dir() else stem.stem
    return "".join(c if c.isalnum() or c in "._-" else "-" for c in name) or "source"


def _free(name: str, taken: set[str]) -> str:
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}-{number}"
    taken.add(free)
    return free


def _paths(path: str, *, key: str, bad: list[BadRow], source: str) -> tuple[Path, list[Path]]:
    """The folder that names are told from, and all files."""
    place = Path(path).expanduser()
    try:
        if place.is_dir():
            return place, list(_below(place, root=place, bad=bad, source=source))
        if place.is_file():
            return place.parent, [place]
    except OSError as error:
        raise DataError(
            f"{key}: {path} cannot be read: {error.strerror}.", remedy=_REMEDY_RIGHT
        ) from error
    if glob.has_magic(path):
        root = Path(str(place).split("*")[0].split("?")[0].split("[")[0])
        root = root if root.is_dir() else root.parent
        names = glob.glob(str(place), recursive=True)  # noqa: PTH207 - of any root
        found = sorted(map(Path, names))
        files = [file for file in found if file.is_file()]
        if files:
            return root, files
        raise DataError(f"{key}: no file is like {path}.", remedy="correct the pattern.")
    raise DataError(f"{key}: there is no {path}.", remedy="name a folder or file that is there.")


def _below(folder: Path, *, root: Path, bad: list[BadRow], source: str) -> Iterator[Path]:
    """All files below a folder, by name; links to folders outside are told, not followed."""

    def refused(error: OSError) -> None:
        name = Path(error.filename).relative_to(root).as_posix()
        place = Place(f"{source}: {name}/")
        bad.append(BadRow(f"cannot be read: {error.strerror}", place, _REMEDY_RIGHT))

    for here, folders, names in os.walk(folder, onerror=refused):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in list(folders):
            inner = Path(here) / name
            if inner.is_symlink():
                folders.remove(name)
                place = Place(f"{source}: {inner.relative_to(root).as_posix()}/")
                if not inner.resolve().is_relative_to(root.resolve()):
                    bad.append(
                        BadRow("is a link that leads out of its folder", place, _REMEDY_LINK)
                    )
        yield from (Path(here) / name for name in sorted(names) if not name.startswith("."))


def _is_probes(file: Path) -> bool:
    return file.name.startswith("probes") and file.suffix == ".jsonl"
