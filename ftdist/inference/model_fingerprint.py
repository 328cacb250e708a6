"""Fingerprint of a model folder. No torch."""

import hashlib
import os
from pathlib import Path

MAX_WHOLE_FILE_BYTES = 1 << 22
"""Files up to this size are hashed completely; larger ones by size, time, beginning and end."""


def model_fingerprint(folder: Path) -> str:
    """A digest that differs whenever the model, tokenizer or template in a folder differs.

    Weights are not read completely: size, modification time, beginning and end are hashed instead.
    The model card is left out, because a comparison writes its scores there.
    """
    digest = hashlib.sha256()
    for file in sorted(
        path for path in folder.iterdir() if path.is_file() and path.name != "README.md"
    ):
        status = file.stat()
        digest.update(f"{file.name} {status.st_size}\n".encode())
        with file.open("rb") as stream:
            if status.st_size <= MAX_WHOLE_FILE_BYTES:
                digest.update(stream.read())
                continue
            digest.update(f"{status.st_mtime_ns}\n".encode())
            digest.update(stream.read(MAX_WHOLE_FILE_BYTES // 2))
            stream.seek(-MAX_WHOLE_FILE_BYTES // 2, os.SEEK_END)
            digest.update(stream.read())
    return digest.hexdigest()
