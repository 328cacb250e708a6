"""Fingerprints of values, and SHA-256 digests of files that are computed once per file version."""

import hashlib
import json
import time
from dataclasses import dataclass, field
from pathlib import Path

from ftdist.io.jsonl import write_whole

_SETTLED_S = 2.0
"""A file changed more recently than this may change again within one tick of its clock."""

FileStamp = tuple[int, int, int]
"""Size, modification time and inode of a file; differs whenever its content differs."""


def fingerprint(*parts: object) -> str:
    """32 hex digits that differ whenever the parts do; each part is a JSON value."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's content, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_stamp(path: Path) -> FileStamp:
    """The current stamp of a file."""
    status = path.stat()
    return status.st_size, status.st_mtime_ns, status.st_ino


@dataclass
class FileHashes:
    """A cache of file digests, stored as JSON."""

    path: Path
    known: dict[str, list[str | int]] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> "FileHashes":
        """Read the cache; start an empty one if it cannot be read."""
        try:
            return cls(path, json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return cls(path)

    def sha256(self, file: Path) -> str:
        """The digest of a file, from the cache if its stamp is unchanged."""
        name, stamp = str(file.absolute()), list(file_stamp(file))
        known = self.known.get(name)
        if known is not None and known[1:] == stamp:
            return str(known[0])
        digest = file_sha256(file)
        if time.time() - stamp[1] / 1e9 > _SETTLED_S:
            self.known[name] = [digest, *stamp]
        return digest

    def save(self) -> None:
        """Write the cache."""
        write_whole(self.path, json.dumps(self.known))
