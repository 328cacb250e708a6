"""The manifest of a checkpoint folder: name, size and SHA-256 of every file in it.

    {"format": 1, "step": 1200, "attempt": 3, "metadata": {...},
     "files": [{"name": "rank-00000-of-00002.safetensors", "size": 1048576, "sha256": "..."}],
     "sha256": "..."}

The last line is the manifest's own hash, which covers all the rest.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ftdist.errors import StorageError
from ftdist.io.filesystem import fsync_paths, storage_errors
from ftdist.io.hashing import file_sha256
from ftdist.io.jsonl import write_whole

MANIFEST = "manifest.json"
FORMAT = 1

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
    """Its name in the checkpoint's folder; folders inside it are not used."""

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


def describe_file(path: Path) -> FileRecord:
    """Flush a file to disk and hash it."""
    fsync_paths(path)
    return FileRecord(name=path.name, size=path.stat().st_size, sha256=file_sha256(path))


def check_presence(folder: Path, records: Sequence[FileRecord]) -> list[str]:
    """Files that are missing from `folder`, unexpected, or of another size; one clause each."""
    problems = []
    for record in records:
        try:
            # Opened, not just looked up: on open a network file system asks the server.
            with (folder / record.name).open("rb") as file:
                size = os.fstat(file.fileno()).st_size
        except FileNotFoundError:
            problems.append(f"{record.name} is missing")
            continue
        if size != record.size:
            problems.append(f"{record.name} has {size} bytes instead of {record.size}")
    expected = {record.name for record in records} | {MANIFEST}
    extra = sorted({entry.name for entry in folder.iterdir()} - expected)
    return problems + [f"{name} is unexpected" for name in extra]


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest, and flush it and the folder to disk."""
    body = {"format": FORMAT, **asdict(manifest)}
    body["sha256"] = _own_hash(body)
    write_whole(folder / MANIFEST, json.dumps(body, indent=1, sort_keys=True) + "\n")
    fsync_paths(folder)


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a checkpoint, its own hash checked.

    Raises:
        DamagedCheckpointError: it is missing, truncated, changed, or of another format.
        StorageError: it cannot be read just now.
    """
    with storage_errors("read", folder):
        try:
            body = json.loads((folder / MANIFEST).read_bytes())
        except FileNotFoundError:
            raise damaged(folder, [f"{MANIFEST} is missing"]) from None
        except ValueError:
            raise damaged(folder, [f"{MANIFEST} is not JSON"]) from None
    if not isinstance(body, dict) or body.pop("sha256", None) != _own_hash(body):
        raise damaged(folder, [f"{MANIFEST} was changed"])
    if body["format"] != FORMAT:
        raise damaged(folder, [f"{MANIFEST} has format {body['format']}, not {FORMAT}"])
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
        problems = check_presence(folder, manifest.files)
        if not problems:
            with ThreadPoolExecutor(_HASHING_THREADS) as pool:
                digests = pool.map(lambda record: file_sha256(folder / record.name), manifest.files)
                problems = [
                    f"the content of {record.name} has changed (SHA-256 {digest[:12]}... instead "
                    f"of {record.sha256[:12]}...)"
                    for record, digest in zip(manifest.files, digests, strict=True)
                    if digest != record.sha256
                ]
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
