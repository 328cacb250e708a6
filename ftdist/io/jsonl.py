"""Small files written atomically, and JSON Lines files that survive a crash of the writer."""

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from ftdist.io.retry import retry_passing

READ_BYTES = 1 << 20
"""How much of a file is read at once."""


def write_whole(path: Path, text: str, *, deadline_s: float | None = None) -> None:
    """Write a small file atomically: readers see the old text or the new text.

    Args:
        path: the file.
        text: its content.
        deadline_s: how long errors that may pass are tried again; None: `retry.DEADLINE_S`.

    Raises:
        OSError: the disk refused it. The error names the file, and no partial file is left.
    """
    retry_passing(lambda: _write_whole(path, text), deadline_s=deadline_s)


def _write_whole(path: Path, text: str) -> None:
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


def append_json_line(path: Path, row: dict[str, Any], *, deadline_s: float | None = None) -> None:
    """Append one JSON object to a file, in a single write if the disk accepts it.

    Args:
        path: the file; created if missing, readable by its owner only.
        row: the object.
        deadline_s: how long errors that may pass are tried again; None: `retry.DEADLINE_S`.

    Raises:
        OSError: the disk refused part of it. The part that was written spoils no later line.
    """
    line = (json.dumps(row, allow_nan=True) + "\n").encode()
    retry_passing(lambda: _append(path, line), deadline_s=deadline_s)


def _append(path: Path, line: bytes) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            line = b"\n" + line
        while line:
            line = line[os.write(descriptor, line) :]
    finally:
        os.close(descriptor)


def read_json_lines(path: Path, *, deadline_s: float | None = None) -> Iterator[dict[str, Any]]:
    """The JSON objects of a file; skips torn lines and lines without an object.

    Args:
        path: the file.
        deadline_s: how long errors that may pass are tried again; None: `retry.DEADLINE_S`.

    Raises:
        OSError: it cannot be read, after `deadline_s` if that may pass.
    """
    at, size = 0, READ_BYTES
    while size >= READ_BYTES:  # fewer bytes end at the end of the file
        lines = _retried(path, at, deadline_s)
        size = sum(map(len, lines))
        at += size
        for line in lines:
            try:
                row = json.loads(line.decode("utf-8", errors="replace"))
            except (json.JSONDecodeError, RecursionError):
                continue
            if isinstance(row, dict):
                yield row


def _retried(path: Path, start: int, deadline_s: float | None) -> list[bytes]:
    return retry_passing(lambda: _read_lines(path, start), deadline_s=deadline_s)


def _read_lines(path: Path, start: int) -> list[bytes]:
    """About `READ_BYTES` of lines from an offset on; empty at the end, or without the file."""
    try:
        with path.open("rb") as file:
            file.seek(start)
            return file.readlines(READ_BYTES)
    except FileNotFoundError:
        return []
