"""Checkpoints of a few bytes, whose content says what they are."""

import multiprocessing
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ftdist.checkpoint.manifest import FileRecord
from ftdist.checkpoint.read_back import read_back
from ftdist.checkpoint.retention import SOUND
from ftdist.checkpoint.store import CheckpointStore
from ftdist.io.hashed_writer import write_hashed
from ftdist.io.hashing import file_sha256
from ftdist.train.rollbacks import ROLLBACKS

RANKS = 2
PROCESSES = multiprocessing.get_context("fork")


def save(
    store: CheckpointStore,
    step: int,
    *,
    attempt: int = 1,
    size: int = 40,
    ranks: int = RANKS,
    sound: bool = True,
    rollbacks: int = 0,
) -> Path:
    """Save as ranks would; the content is a function of step and rank."""
    partial = store.begin(step, attempt)
    records = [
        write(partial, f"rank-{rank}.bin", content(step, rank, size=size)) for rank in range(ranks)
    ]
    metadata = {"step": step, SOUND: sound, ROLLBACKS: rollbacks}
    path = commit(store, step, records, metadata, attempt=attempt)
    store.empty_trash()
    return path


def commit(
    store: CheckpointStore,
    step: int,
    records: Sequence[FileRecord],
    metadata: dict[str, Any] | None = None,
    *,
    attempt: int = 1,
) -> Path:
    """Publish a checkpoint, read it back, and delete old ones, as training does."""
    path = store.publish(step, attempt, records, metadata or {})
    read_back(path, step=step)
    store.retain(step)
    return path


def write(folder: Path, name: str, data: bytes) -> FileRecord:
    """Write a file as a rank does, and describe it."""
    size, digest = write_hashed(folder / name, [data])
    return FileRecord(name=name, size=size, sha256=digest)


def describe(folder: Path, name: str) -> FileRecord:
    """A file as it lies in a checkpoint's folder."""
    path = folder / name
    return FileRecord(name=name, size=path.stat().st_size, sha256=file_sha256(path))


def content(step: int, rank: int, *, size: int) -> bytes:
    """What a rank writes at a step."""
    return f"step {step} rank {rank} ".encode().ljust(size, b".")


def never(path: Path, reason: str) -> None:
    """For who finds nothing damaged."""
    raise AssertionError(f"{path} called damaged: {reason}")


def names(root: Path) -> list[str]:
    """What lies in a folder, sorted."""
    return sorted(path.name for path in root.iterdir())


def in_child(body: Callable[[], None]) -> int | None:
    """The exit code of a process of its own that did this; None: it hung."""
    child = PROCESSES.Process(target=body)
    child.start()
    child.join(60)
    return child.exitcode
