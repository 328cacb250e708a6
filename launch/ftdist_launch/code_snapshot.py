"""A copy of the code in the run directory: what a job runs, whatever happens to the checkout."""

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import ftdist
from ftdist.config.compose import conf_dir
from ftdist.errors import ConfigError, StorageError
from ftdist.rundir import RunDir, write_whole


def sources() -> dict[str, Path]:
    """Folders of a snapshot, laid out as in a wheel, and what each of them is a copy of."""
    return {
        "ftdist": Path(ftdist.__file__).resolve().parent,
        "ftdist/conf": conf_dir(),
        "ftdist_launch": Path(__file__).resolve().parent,
    }


def take(run: RunDir) -> str:
    """Copy the code that runs now into the run directory, in place of an earlier copy.

    Returns:
        The copy's SHA-256, which is kept beside it.

    Raises:
        StorageError: the disk did not take it.
    """
    aside = run.code.with_name(f".{run.code.name}.new")
    try:
        if aside.exists():
            shutil.rmtree(aside)
        for name, folder in sources().items():
            shutil.copytree(
                folder,
                aside / name,
                ignore=shutil.ignore_patterns("__pycache__"),
                dirs_exist_ok=True,
            )
        digest = digest_of(aside)
        if run.code.exists():
            shutil.rmtree(run.code)
        write_whole(digest_file(run), digest + "\n")
        aside.rename(run.code)
    except OSError as error:
        raise StorageError(
            f"The code cannot be copied to {run.code}: {error}.",
            remedy="make room on its disk, then ask again.",
        ) from error
    return digest


def verify(run: RunDir) -> None:
    """Refuse a copy that is not what was submitted.

    Raises:
        ConfigError: a file of it was changed, added or taken away.
    """
    try:
        taken = digest_file(run).read_text(encoding="utf-8").strip()
    except OSError:
        taken = ""
    if digest_of(run.code) != taken:
        raise ConfigError(
            f"The code in {run.code} is not the code that was submitted.",
            remedy=f"`ftdist resume {run.name}` goes on with the code that is installed now.",
        )


def digest_of(folder: Path) -> str:
    """SHA-256 over names and contents of all files in a folder, Python's caches left out."""
    whole = hashlib.sha256()
    for path in _files(folder):
        name = str(path.relative_to(folder)).encode()
        content = path.read_bytes()
        whole.update(b"%d %s %d " % (len(name), name, len(content)))
        whole.update(content)
    return whole.hexdigest()


def digest_file(run: RunDir) -> Path:
    """Where the copy's SHA-256 is kept."""
    return run.root / "code.sha256"


def _files(folder: Path) -> Iterator[Path]:
    paths = (p for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    yield from sorted(paths)
