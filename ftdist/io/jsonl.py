"""Small files written atomically, and JSON Lines files that survive a crash of the writer."""

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any


def write_whole(path: Path, text: str) -> None:
    """Write a small file atomically: readers see the old text or the new text.

    Raises:
        OSError: the disk refused it. The error names the file, and no partial file is left.
    """
    tmp = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with tmp.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        tmp.rename(path)
    except OSError as error:
        with suppress(OSError):
            tmp.unlink()
        error.filename, error.filename2 = str(path), None
        raise


def append_json_line(path: Path, row: dict[str, Any]) -> None:
    """Append one JSON object to a file, in a single write if the disk accepts it.

    Raises:
        OSError: the disk refused part of it. The part that was written spoils no later line.
    """
    line = (json.dumps(row, allow_nan=True) + "\n").encode()
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            line = b"\n" + line
        while line:
            line = line[os.write(descriptor, line) :]
    finally:
        os.close(descriptor)


def read_json_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The JSON objects of a file; skips torn lines and lines without an object."""
    if not path.exists():
        return
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                row = json.loads(line)
            except (json.JSONDecodeError, RecursionError):
                continue
            if isinstance(row, dict):
                yield row
