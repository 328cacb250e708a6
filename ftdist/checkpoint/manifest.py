"""The manifest of a checkpoint folder: name, size and SHA-256 of every file in it.

    {"format": 2, "step": 1200, "attempt": 3, "metadata": {...},
     "files": [{"name": "shards-000/rank-00000-of-00002.safetensors", "size": 1048576,
                "sha256": "..."}],
     "sha256": "..."}

The last line is the manifest's own hash, which covers all the rest.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ftdist.errors import StorageError
from ftdist.io.filesystem import fsync_paths, storage_errors
from ftdist.io.hashing import file_sha256
from ftdist.io.jsonl import write_whole
from ftdist.io.retry import retry_passing

MANIFEST = "manifest.json"
FORMAT = 2

MAX_OPENED = 64
"""Files that a commit opens to see that they are there: its time does not grow with the ranks."""

# hashlib lets go of the interpreter's lock, so that threads hash several files at once.
_HASHING_THREADS = min(8, os.cpu_count() or 1)


class DamagedCheckpointError(StorageError):
    """A checkpoint's files are not what its manifest says.

    A file that merely cannot be opened just now (rights, network) is a plain StorageError:
    a whole checkpoint must not be set aside for it.
    """


@dataclass(frozen=True, kw_only=True)
class FileRecord:
    """One file of a checkpoint, as it was when it was written."""

    name: str
    """Its path in the checkpoint's folder, with slashes."""

    size: int
    """Bytes."""

    sha256: str
    """Hash of the content, hexadecimal."""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """Written by rank 0 when it commits."""

    step: int
    attempt: int
    files: tuple[FileRecord, ...]
    metadata: dict[str, Any]


def share_of(records: Sequence[FileRecord], *, rank: int, size: int) -> list[FileRecord]:
    """The files that one of `size` readers verifies: each file has exactly one.

    Where shards are sorted by rank, a rank gets files that it reads, whatever the number of ranks
    that wrote them.
    """
    count = len(records)
    return [record for index, record in enumerate(records) if index * size // count == rank]


def check_files(folder: Path, records: Sequence[FileRecord]) -> list[str]:
    """Files that are missing, of another size, or of another content; one clause each.

    Raises:
        StorageError: a file cannot be read just now.
    """
    with storage_errors("read", folder):
        problems = check_sizes(folder, records)
        if problems:
            return problems
        with ThreadPoolExecutor(_HASHING_THREADS) as pool:
            digests = pool.map(
                lambda record: retry_passing(lambda: file_sha256(folder / record.name)), records
            )
            return [
                f"the content of {record.name} has changed (SHA-256 {digest[:12]}... instead "
                f"of {record.sha256[:12]}...)"
                for record, digest in zip(records, digests, strict=True)
                if digest != record.sha256
            ]


def check_sizes(folder: Path, records: Sequence[FileRecord]) -> list[str]:
    """Files that are missing from `folder`, or of another size; one clause each."""
    problems = []
    for record in records:
        try:
            size = retry_passing(lambda path=folder / record.name: _size(path))  # type: ignore[misc]
        except FileNotFoundError:
            problems.append(f"{record.name} is missing")
            continue
        if size != record.size:
            problems.append(f"{record.name} has {size} bytes instead of {record.size}")
    return problems


def _size(path: Path) -> int:
    """Bytes of a file. It is opened, not just looked up: then a network file system asks."""
    with path.open("rb") as file:
        return os.fstat(file.fileno()).st_size


def check_names(folder: Path, records: Sequence[FileRecord]) -> list[str]:
    """Files in `folder` that no record names; one clause each. Opens none."""
    return _unexpected(set(_file_names(folder)), records)


def _unexpected(listed: set[str], records: Sequence[FileRecord]) -> list[str]:
    expected = {record.name for record in records} | {MANIFEST}
    return [f"{name} is unexpected" for name in sorted(listed - expected)]


def check_written(folder: Path, records: Sequence[FileRecord]) -> list[str]:
    """What keeps `folder` from being committed; its writers have just reported the `records`.

    Of many files only `MAX_OPENED` are opened, evenly spaced, and those that the folder's listing
    lacks: a network file system may have cached an old one.
    """
    every = -(-len(records) // MAX_OPENED) or 1
    listed = set(_file_names(folder))
    opened = [
        record
        for index, record in enumerate(records)
        if index % every == 0 or record.name not in listed
    ]
    return check_sizes(folder, opened) + _unexpected(listed, records)


def _file_names(folder: Path, prefix: str = "") -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            name = prefix + entry.name
            if entry.is_dir(follow_symlinks=False):
                yield from _file_names(Path(entry.path), f"{name}/")
            else:
                yield name


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest, and flush it and the folder to disk."""
    body = {"format": FORMAT, **asdict(manifest)}
    body["sha256"] = _own_hash(body)
    write_whole(folder / MANIFEST, json.dumps(body, indent=1, sort_keys=True) + "\n")
    fsync_paths(folder)


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a checkpoint, its own hash checked.

    Raises:
        DamagedCheckpointError: it is missing, truncated or changed.
        StorageError: it cannot be read just now, or another version of ftdist wrote it.
    """
    with storage_errors("read", folder):
        try:
            body = json.loads(retry_passing((folder / MANIFEST).read_bytes))
        except FileNotFoundError:
            raise damaged(folder, [f"{MANIFEST} is missing"]) from None
        except ValueError:
            raise damaged(folder, [f"{MANIFEST} is not JSON"]) from None
    if not isinstance(body, dict) or body.pop("sha256", None) != _own_hash(body):
        raise damaged(folder, [f"{MANIFEST} was changed"])
    if body["format"] != FORMAT:
        raise StorageError(
            f"Checkpoint {folder} was written by another version of ftdist: its manifest has "
            f"format {body['format']}, and this version reads format {FORMAT}.",
            remedy="continue this run with the version that began it, or start a new run.",
        )
    return Manifest(
        step=body["step"],
        attempt=body["attempt"],
        files=tuple(FileRecord(**record) for record in body["files"]),
        metadata=body["metadata"],
    )


def verify_folder(folder: Path) -> Manifest:
    """Check every file of a checkpoint against its manifest: presence, size, hash.

    Raises:
        DamagedCheckpointError: names every file that is missing, too many, cut or changed.
        StorageError: a file cannot be read just now.
    """
    manifest = read_manifest(folder)
    with storage_errors("read", folder):
        problems = check_files(folder, manifest.files) + check_names(folder, manifest.files)
    if problems:
        raise damaged(folder, problems)
    return manifest


def damaged(folder: Path, problems: Sequence[str]) -> DamagedCheckpointError:
    """The error that names what is wrong with `folder`."""
    return DamagedCheckpointError(
        f"Checkpoint {folder.name} is damaged: {'; '.join(problems)}.",
        remedy="resume from an older checkpoint, or put the files back from a copy.",
    )


def _own_hash(body: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
