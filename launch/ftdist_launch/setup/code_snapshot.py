"""Snapshot of the code in the run directory, which jobs run whatever happens to the checkout."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import ftdist
import ftdist_launch
from ftdist.config.search_path import conf_dir
from ftdist.errors import ConfigError, StorageError
from ftdist.io.atomic_dir import atomic_dir
from ftdist.io.jsonl import write_whole
from ftdist.rundir import RunDir

FOLDERS = ("ftdist", "launch", "conf")
"""The parts of a checkout that contain code."""

GIT_TIMEOUT_S = 10.0


def sources() -> dict[str, Path]:
    """Folders of a snapshot, laid out as in a wheel, and their sources."""
    return {
        "ftdist": Path(ftdist.__file__).resolve().parent,
        "ftdist/conf": conf_dir(),
        "ftdist_launch": Path(ftdist_launch.__file__).resolve().parent,
    }


def take_snapshot(run: RunDir) -> str:
    """Copy the running code into the run directory, replacing an earlier snapshot.

    Returns:
        The SHA-256 of the snapshot, which is stored next to it.

    Raises:
        StorageError: it cannot be written.
    """
    ignore = shutil.ignore_patterns("__pycache__")
    try:
        with atomic_dir(run.code, replace=True) as tmp:
            for name, folder in sources().items():
                shutil.copytree(folder, tmp / name, ignore=ignore, dirs_exist_ok=True)
        digest = hash_folder(run.code)
        write_whole(digest_file(run), digest + "\n")
    except OSError as error:
        raise StorageError(
            f"Cannot copy the code to {run.code}: {error}.",
            remedy="free disk space, then retry.",
        ) from error
    return digest


def verify_snapshot(run: RunDir) -> None:
    """Check that the snapshot is what was submitted.

    Raises:
        ConfigError: one of its files was changed, added or removed.
    """
    if hash_folder(run.code) != digest_file(run).read_text(encoding="utf-8").strip():
        raise ConfigError(
            f"The code in {run.code} is not the code that was submitted.",
            remedy=f"run `ftdist resume {run.name}` to resume with the installed code.",
        )


def hash_folder(folder: Path) -> str:
    """SHA-256 over names and contents of all files in a folder, without __pycache__."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if "__pycache__" in path.parts or not path.is_file():
            continue
        name = str(path.relative_to(folder)).encode()
        content = path.read_bytes()
        digest.update(b"%d %s %d " % (len(name), name, len(content)))
        digest.update(content)
    return digest.hexdigest()


def digest_file(run: RunDir) -> Path:
    """File with the SHA-256 of the snapshot."""
    return run.root / "code.sha256"


def git_state(checkout: Path) -> dict[str, str | bool]:
    """Commit, branch, and whether the code differs from the commit; {} outside a repository.

    The remote URL and the diff are left out: both can hold secrets.

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
    # Do not run a file monitor that the repository configures, and ignore GIT_* variables that
    # point to another repository.
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
