"""The sha256 of files, read again only where size, time or inode changed."""

import hashlib
import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path

from ftdist.rundir import write_whole

_SETTLED_S = 2.0
"""A file changed more recently than this may change again within its clock's tick."""


Stamp = tuple[int, int, int]
"""Size, time and inode of a file: another where its content is another."""


def stamp_of(file: Path) -> Stamp:
    """The stamp of a file, as it is now."""
    return _stamp(file.stat())


@dataclass
class Digests:
    """What is known of files, and where that is kept."""

    path: Path
    known: dict[str, list[str | int]] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> "Digests":
        """What was known when it was saved last; nothing where that cannot be read."""
        try:
            return cls(path, json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return cls(path)

    def of(self, file: Path) -> str:
        """The digest of a file."""
        status = file.stat()
        stamp = list(_stamp(status))
        name = str(file.absolute())
        known = self.known.get(name)
        if known is not None and known[1:] == stamp:
            return str(known[0])
        with file.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
        if time.time() - status.st_mtime > _SETTLED_S:
            self.known[name] = [digest, *stamp]
        return digest

    def save(self) -> None:
        """Keep what is known."""
        write_whole(self.path, json.dumps(self.known))


def _stamp(status: os.stat_result) -> Stamp:
    return status.st_size, status.st_mtime_ns, status.st_ino
