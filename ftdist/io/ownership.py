"""Who may change a file: what another user can change runs no code here.

A path is the user's own if it and every folder above it belong to the user or root, and if nobody
else may write to it. Folders above may be sticky, as /tmp is: nobody can rename another's files
there. `FTDIST_TRUSTED_DIRS` names further folders whose owners and groups the user trusts.
"""

import grp
import os
import pwd
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ftdist.errors import ConfigError

VARIABLE = "FTDIST_TRUSTED_DIRS"
"""Environment variable: folders that are trusted with all below them, separated by colons."""

_ROOT = 0


def require_own(path: Path, *, what: str) -> None:
    """Refuse a path that another user may change.

    Args:
        path: a file or folder, which may not exist yet.
        what: it is, such as "The run directory".

    Raises:
        ConfigError: who may change which part of it.
    """
    real = path.resolve()
    for part in _untrusted(real):
        try:
            status = part.lstat()
        except FileNotFoundError:
            continue
        is_above = part != real
        if not _is_owner_fine(status, is_above=is_above):
            raise ConfigError(
                f"{what} {path} could be another user's: {part} belongs to "
                f"{_user(status.st_uid)}, not to you ({_user(os.geteuid())}).",
                remedy=f"read it, then copy it to a folder of your own; or "
                f"`export {VARIABLE}={part}` if you trust whoever writes there.",
            )
        if _is_writable_by_others(status, is_above=is_above):
            mode = stat.S_IMODE(status.st_mode)
            raise ConfigError(
                f"{what} {path} can be changed by other users: {part} has mode {mode:04o}.",
                remedy=f"run `chmod go-w {part}`, use another folder, or "
                f"`export {VARIABLE}={part}` if you trust whoever writes there.",
            )


def _untrusted(real: Path) -> Iterator[Path]:
    """The path and the folders above it, up to the first one that is trusted by name."""
    trusted = trusted_dirs()
    for part in (real, *real.parents):
        if part in trusted:
            return
        yield part


def trusted_dirs() -> frozenset[Path]:
    """The folders that `FTDIST_TRUSTED_DIRS` names; the root of all folders is never one."""
    names = filter(None, os.environ.get(VARIABLE, "").split(os.pathsep))
    return frozenset(Path(name).expanduser().resolve() for name in names) - {Path("/")}


def is_trusted(path: Path) -> bool:
    """Whether a path is in a folder that `FTDIST_TRUSTED_DIRS` names, or is one."""
    real = path.resolve()
    return not trusted_dirs().isdisjoint((real, *real.parents))


def _is_owner_fine(status: os.stat_result, *, is_above: bool) -> bool:
    if status.st_uid in (os.geteuid(), _ROOT):
        return True
    # In a container without a superuser, files of the host's root belong to nobody.
    return is_above and status.st_uid == _unmapped_user()


def _unmapped_user() -> int | None:
    """The user to whom files of other users seem to belong; None outside a user namespace."""
    with suppress(OSError, ValueError):
        first, _, count = map(int, Path("/proc/self/uid_map").read_text().split()[:3])
        if (first, count) != (0, 2**32 - 1):
            return int(Path("/proc/sys/kernel/overflowuid").read_text())
    return None


def _is_writable_by_others(status: os.stat_result, *, is_above: bool) -> bool:
    if is_above and status.st_mode & stat.S_ISVTX:
        return False
    if status.st_mode & stat.S_IWOTH:
        return True
    return bool(status.st_mode & stat.S_IWGRP) and not _is_own_group(status.st_gid)


def _is_own_group(gid: int) -> bool:
    """Whether only this user is in a group: many systems give each user a group of their own."""
    if gid == _ROOT:
        return True
    with suppress(KeyError):
        user, group = pwd.getpwuid(os.geteuid()), grp.getgrgid(gid)
        is_named_alike = gid == user.pw_gid and group.gr_name == user.pw_name
        return is_named_alike and set(group.gr_mem) <= {user.pw_name}
    return False


def _user(uid: int) -> str:
    with suppress(KeyError):
        return pwd.getpwuid(uid).pw_name
    return f"user {uid}"
