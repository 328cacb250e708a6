"""Which commit the code is that runs, where it lies in a git repository."""

import os
import subprocess
from pathlib import Path

FOLDERS = ("ftdist", "launch", "conf")
"""The parts of a checkout that run."""

GIT_TIMEOUT_S = 10.0


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
