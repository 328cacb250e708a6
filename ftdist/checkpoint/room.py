"""Room for a checkpoint, looked at before it is written. Imports no torch."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from ftdist.checkpoint.damage import damaged_names
from ftdist.checkpoint.manifest import FileRecord
from ftdist.checkpoint.store import CheckpointStore
from ftdist.config.schema.checkpoint import MIN_KEPT
from ftdist.errors import StorageError
from ftdist.io.filesystem import storage_errors
from ftdist.io.room import Room, free_room
from ftdist.io.units import GIB, format_bytes

FOLDER_FILES = 256
"""A folder, which takes an inode too, comes with so many files: see `ftdist.zero.shard_files`."""

OTHER_FILES = 6
"""The checkpoint's folder, its manifest under two names, reference logits; one for the records."""


def planned_room(gib: float, *, world_size: int) -> Room:
    """What a checkpoint needs, by the plan.

    Args:
        gib: its size.
        world_size: ranks that write a file each.
    """
    return Room(gib=gib, files=world_size + world_size // FOLDER_FILES + OTHER_FILES)


def measured_room(records: Sequence[FileRecord]) -> Room:
    """What a checkpoint needs that is like one with these files."""
    size = sum(record.size for record in records)
    return planned_room(size / GIB, world_size=len(records))


def require_room(root: Path, needed: Room) -> None:
    """Refuse to continue with less room than `needed`; quotas are not seen.

    Args:
        root: the folder of the checkpoints.
        needed: by one of them.

    Raises:
        StorageError: there is less.
    """
    with storage_errors("look at", root):
        free = free_room(root)
    if not free.lacks(needed):
        return
    names = damaged_names(root)
    can_keep_fewer = len(CheckpointStore(root, keep=MIN_KEPT).committed()) > MIN_KEPT
    missing = max(0, int((needed.gib - free.gib) * GIB))
    few_inodes = "; inodes are short, so many of them" * free.lacks_files(needed)
    raise StorageError(
        f"A checkpoint needs {_describe(needed, free)}, but the disk of {root} has {free} free.",
        remedy=f"delete files of {format_bytes(missing)}{few_inodes}"
        + (f" (damaged checkpoints: {', '.join(names)})" if names else "")
        + f", set checkpoint.keep_latest={MIN_KEPT}" * can_keep_fewer
        + ", or set run.root to another disk.",
    )


def _describe(needed: Room, free: Room) -> str:
    return str(needed if free.lacks_files(needed) else dataclasses.replace(needed, files=None))


def make_room(store: CheckpointStore, root: Path, needed: Room) -> None:
    """Before a save: delete early what it makes superfluous, if the disk is too full for both.

    Args:
        store: the checkpoints.
        root: their folder.
        needed: by one of them.

    Raises:
        StorageError: there is too little room still.
    """
    with storage_errors("look at", root):
        is_short = free_room(root).lacks(needed)
    if is_short:
        store.retain_early()
    require_room(root, needed)
