"""A name for a model, by what its folder holds. No torch."""

import hashlib
import os
from pathlib import Path

WHOLE_FILE_BYTES = 1 << 22
"""Files up to this size are hashed whole; larger ones by size, time, beginning and end."""


def model_key(folder: Path) -> str:
    """A name for what a model folder holds: another model, tokenizer or template, another key.

    Weights are not read whole: size, time of change, beginning and end stand for them. The card is
    left out: a comparison writes its scores there.
    """
    digest = hashlib.sha256()
    for file in sorted(
        path for path in folder.iterdir() if path.is_file() and path.name != "README.md"
    ):
        facts = file.stat()
        digest.update(f"{file.name} {facts.st_size}\n".encode())
        with file.open("rb") as stream:
            if facts.st_size <= WHOLE_FILE_BYTES:
                digest.update(stream.read())
                continue
            digest.update(f"{facts.st_mtime_ns}\n".encode())
            digest.update(stream.read(WHOLE_FILE_BYTES // 2))
            stream.seek(-WHOLE_FILE_BYTES // 2, os.SEEK_END)
            digest.update(stream.read())
    return digest.hexdigest()
