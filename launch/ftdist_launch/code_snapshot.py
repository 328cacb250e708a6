"""A copy of the code in the run directory: what a job runs, whatever happens to the checkout."""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import ftdist
from ftdist.config.compose import conf_dir
from ftdist.errors import ConfigError, StorageError
from ftdist.io.jsonl import write_whole
from ftdist.rundir import RunDir

FOLDERS = ("ftdist", "launch", "conf")
"""The parts of a checkout that run."""

GIT_TIMEOUT_S = 10.0


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
    try:
        if run.code.exists():
            shutil.rmtree(run.code)
        for name, folder in sources().items():
            shutil.copytree(
                folder,
                run.code / name,
                ignore=shutil.ignore_patterns("__pycache__"),
                dirs_exist_ok=True,
            )
        digest = digest_of(run.code)
        write_whole(digest_file(run), digest + "\n")
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


def git_state(checkout: Path) -> dict[str, str | bool]:
    """Commit, branch, and whether what runs differs from the commit; {} outside a repository.

    Neither the address that it was cloned from nor what was changed is told: both can hold secrets.

    Args:
        checkout: folder that holds the packages.
    """
    try:
        # An environment inside somebody else's repository is not that repository's code.
        _git(checkout, "ls-files", "--error-unmatch", "ftdist/__init__.py")
        commit = _git(checkout, "rev-parse", "HEAD")
        changes = _git(checkout, "status", "--porcelain", "--", *FOLDERS)
        branch = _git(checkout, "rev-parse", "--abbrev-ref", "HEAD")
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return {}
    # A checkout of a bare commit calls its branch HEAD.
    named: dict[str, str | bool] = {} if branch == "HEAD" else {"branch": branch}
    return {"commit": commit, **named, "dirty": bool(changes)}


def _git(checkout: Path, *words: str) -> str:
    # What a repository's own settings would have git run (a monitor of files) is not run, and
    # what the environment says of another repository does not count.
    environment = {name: text for name, text in os.environ.items() if not name.startswith("GIT_")}
    safely = ("-c", "core.fsmonitor=false", "-C", str(checkout))
    done = subprocess.run(
        ["git", *safely, *words],
        capture_output=True,
        text=True,
        timeout=GIT_TIMEOUT_S,
        check=True,
        stdin=subprocess.DEVNULL,
        env=environment | {"GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"},
    )
    return done.stdout.strip()
