"""The room of a disk: bytes and inodes."""

import os
from dataclasses import dataclass
from pathlib import Path

from ftdist.io.retry import retry_passing
from ftdist.io.units import GIB, format_bytes, format_count

MANY_FILES = 1000
"""Messages name inodes below this number."""


@dataclass(frozen=True, kw_only=True)
class Room:
    """What is free for this user, or what something needs.

    Quotas are invisible in it; an exhausted one answers a write with EDQUOT.
    """

    gib: float
    files: int | None
    """Inodes; None: the file system has no fixed number of them."""

    def lacks(self, needed: "Room") -> bool:
        """Whether there is less than needed."""
        return self.gib < needed.gib or self.lacks_files(needed)

    def lacks_files(self, needed: "Room") -> bool:
        """Whether there are fewer inodes than needed."""
        return self.files is not None and needed.files is not None and self.files < needed.files

    def __str__(self) -> str:
        """As a message tells it; inodes only where they are scarce."""
        scarce = self.files is not None and self.files < MANY_FILES
        size = format_bytes(int(self.gib * GIB))
        return f"{size} and {format_count(self.files or 0, 'inode')}" if scarce else size


def free_room(path: Path) -> Room:
    """The room on the disk of `path`, or of its nearest existing parent.

    Raises:
        OSError: the file system does not answer.
    """

    def look() -> os.statvfs_result:
        return os.statvfs(next(p for p in (path, *path.absolute().parents) if p.exists()))

    status = retry_passing(look)
    return Room(
        gib=status.f_bavail * status.f_frsize / GIB,
        files=status.f_favail if status.f_files else None,
    )
