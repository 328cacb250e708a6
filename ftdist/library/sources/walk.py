"""The files below a folder, and those that match a glob."""

import errno
import glob
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ftdist.errors import DataError
from ftdist.io.safe_open import OUTSIDE
from ftdist.library.sources.reference import hub_hint
from ftdist.library.sources.saved_dataset import is_saved_dict


def glob_files(
    pattern: Path, *, key: str, on_error: Callable[[OSError], None]
) -> tuple[Path, list[Path]]:
    """The folder that the names of a glob's files are relative to, and the files, by name.

    Args:
        pattern: a path with `*`, `?` or brackets.
        key: the config key that named it, for errors.
        on_error: called for each file that is a link out of the folder (`errno.EXDEV`).

    Raises:
        DataError: it is no glob, or no file matches.
    """
    if not glob.has_magic(str(pattern)):
        raise DataError(
            f"{key}: {pattern} does not exist.",
            remedy=f"name an existing file or folder{hub_hint(str(pattern))}.",
        )
    first = next(i for i, part in enumerate(pattern.parts) if glob.has_magic(part))
    root, inside = Path(*pattern.parts[:first]), Path(*pattern.parts[first:])
    try:
        matches = sorted(root.glob(str(inside / "*" if inside.name == "**" else inside)))
    except ValueError as error:
        raise DataError(
            f"{key}: {pattern} is not a valid glob pattern.",
            remedy="write ** alone between slashes: docs/**/*.html.",
        ) from error
    files = [
        file for file in matches if not file.is_dir() and not _is_hidden(file.relative_to(root))
    ]
    if not files:
        raise DataError(f"{key}: no file matches {pattern}.", remedy="correct the pattern.")
    home = home_of(root)
    for file in [file for file in files if not is_inside(file, home)]:
        files.remove(file)
        on_error(OSError(errno.EXDEV, OUTSIDE, file.relative_to(root).as_posix()))
    return root, files


def refuse_saved_dicts(files: Sequence[Path], *, key: str) -> None:
    """Refuse a folder with a saved DatasetDict below it: not all of its splits are to be learned.

    Raises:
        DataError: there is one.
    """
    for file in files:
        if is_saved_dict(file.parent):
            raise DataError(
                f"{key}: {file.parent} is a saved dataset with splits, inside a folder that is "
                "read whole.",
                remedy=f"name {file.parent} as a source of its own, with its split.",
            )


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
    home = home_of(folder)
    seen: set[str] = set()
    for here, folders, names in os.walk(folder, followlinks=True, onerror=on_error):
        real = os.path.realpath(here)
        if real in seen:  # links may lead round in a circle
            folders.clear()
            continue
        seen.add(real)
        inside = {name: is_inside(Path(here) / name, home) for name in (*folders, *names)}
        for name, is_within in sorted(inside.items()):
            if not is_within and not name.startswith("."):
                on_error(OSError(errno.EXDEV, OUTSIDE, str(Path(here) / name)))
        folders[:] = sorted(name for name in folders if inside[name] and not name.startswith("."))
        yield from (
            Path(here) / name for name in sorted(names) if inside[name] and not name.startswith(".")
        )


def home_of(folder: Path) -> Path:
    """The real folder that links below a folder may not leave."""
    real = Path(os.path.realpath(folder))
    is_snapshot = real.parent.name == "snapshots" and (real.parents[1] / "blobs").is_dir()
    return real.parents[1] if is_snapshot else real


def is_inside(path: Path, home: Path) -> bool:
    """Whether a path is no link, or one to something below `home`."""
    if not os.path.islink(path):  # noqa: PTH114 - False without permission
        return True
    real = Path(os.path.realpath(path))
    # A link to nothing, or to itself, is reported when it is read.
    return real.is_relative_to(home) or not real.exists()
