"""Who may change a file: what a stranger can change runs no code here.

As git does, ftdist asks whose a file is; and whether every user may write to it, or to a folder
above it that is not sticky, as /tmp is. Whoever may write by the group of a folder is a colleague,
and trusted. `FTDIST_TRUSTED_DIRS` names folders that are trusted whatever their owners and modes.
"""

import os
import pwd
import shlex
import stat
from contextlib import suppress
from pathlib import Path

from ftdist.errors import ConfigError

VARIABLE = "FTDIST_TRUSTED_DIRS"
"""Environment variable: folders that are trusted with all below them, separated by colons."""

_ROOT = 0
_UNREADABLE = (FileNotFoundError, NotADirectoryError, PermissionError)


def require_own(
    path: Path, *, what: str, of_anyone: bool = False, within: Path | None = None
) -> None:
    """Refuse a path that a stranger may change.

    Args:
        path: a file or folder, which may not exist yet.
        what: it is, such as "The run directory".
        of_anyone: whether it may belong to somebody else, as programs do that a site installs.
        within: the folder to trust instead, with the path and others; None: the path itself.

    Raises:
        ConfigError: who may change which part of it.
    """
    real = path.resolve()
    if is_trusted(real):
        return
    if within is None or not real.is_relative_to(within.resolve()):
        within = real
    with suppress(*_UNREADABLE):
        owner = real.stat().st_uid
        if not of_anyone and owner not in trusted_users():
            raise ConfigError(
                f"{what} {path} belongs to {_user(owner)}, not to you ({_user(os.geteuid())}), and "
                "can run programs as you.",
                remedy=f"read it, then copy it to a folder of your own; or {_trust(within)}.",
            )
    # Root is mostly alone in a container, whose volumes are often open to all.
    for part in (real,) if os.geteuid() == _ROOT else (real, *real.parents[:-1]):
        with suppress(*_UNREADABLE):
            mode = stat.S_IMODE(part.stat().st_mode)
            is_sticky_above = part != real and mode & stat.S_ISVTX
            if mode & stat.S_IWOTH and not is_sticky_above:
                raise ConfigError(
                    f"{what} {path} can be changed by every user: {part} has mode {mode:04o}.",
                    remedy=f"run `chmod o-w {shlex.quote(str(part))}`; if you may not, use another "
                    f"folder or {_trust(part)}.",
                )


def is_trusted(path: Path) -> bool:
    """Whether a path is in a folder that `FTDIST_TRUSTED_DIRS` names, or is one.

    The root of all folders is never one.
    """
    names = filter(None, os.environ.get(VARIABLE, "").split(os.pathsep))
    trusted = {Path(name).expanduser().resolve() for name in names} - {Path("/")}
    real = path.resolve()
    return not trusted.isdisjoint((real, *real.parents))


def trusted_users() -> frozenset[int]:
    """Numbers of the users whose files may run: this one, root, and for root the user it works for.

    In a container root works in a folder of the machine's user, under sudo in that of its caller.
    """
    user = os.geteuid()
    return frozenset({user, _ROOT} | ({Path().stat().st_uid} if user == _ROOT else set()))


def _trust(part: Path) -> str:
    value = os.pathsep.join(filter(None, (os.environ.get(VARIABLE), str(part))))
    return f"`export {VARIABLE}={shlex.quote(value)}` if you trust whoever writes there"


def _user(uid: int) -> str:
    with suppress(KeyError):
        return pwd.getpwuid(uid).pw_name
    return f"user {uid}"
