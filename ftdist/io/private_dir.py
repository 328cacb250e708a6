"""A folder of this user's alone at a place where everybody may make folders, such as /tmp."""

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path


def private_dir(path: Path) -> Path:
    """Make a folder into which only this user gets, unless it exists.

    What another user made under its name, or could have changed, is not used: then it is a new
    folder beside it, with a name that nobody can guess.

    Args:
        path: its usual name, known to everybody.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        path.mkdir(mode=0o700)
    if is_private_dir(path):
        return path
    return Path(tempfile.mkdtemp(prefix=f"{path.name}-", dir=path.parent))


def is_private_dir(path: Path) -> bool:
    """Whether a path is a folder of this user, no link, into which nobody else gets."""
    status = path.lstat()
    is_closed = not status.st_mode & (stat.S_IRWXG | stat.S_IRWXO)
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and is_closed
