"""What rank 0 does for a checkpoint: its folder, its commit, and what goes in its place."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from ftdist.checkpoint.manifest import FileRecord
from ftdist.checkpoint.room import make_room, measured_room
from ftdist.checkpoint.store import CheckpointStore
from ftdist.errors import StorageError
from ftdist.io.room import Room
from ftdist.train.attempt_guard import AttemptGuard
from ftdist.train.background import BackgroundWork, IsCancelled


class CheckpointCommitter:
    """Begins, commits and deletes the checkpoints of one attempt. Used on rank 0.

    Old checkpoints are deleted beside training: they may be many files.

    Args:
        store: the checkpoints.
        guard: whether this attempt may still write.
        needed: by one checkpoint, by the plan; once one was written, its files tell.
    """

    def __init__(self, store: CheckpointStore, guard: AttemptGuard, *, needed: Room) -> None:
        self._store, self._guard, self._needed = store, guard, needed
        self._deletion: BackgroundWork[None] | None = None

    def prepare(self, step: int, *, folders: Sequence[str]) -> dict[str, Any]:
        """The folder to write to, unless this attempt is superseded or `step` is committed.

        Raises:
            StorageError: the disk has no room, or the folder cannot be made.
        """
        answer: dict[str, Any] = {"superseded": False, "committed": False}
        if self._guard.is_superseded():
            return answer | {"superseded": True}
        if self._store.is_committed(step):
            return answer | {"committed": True}
        self._wait_for_deletion()  # it makes room
        make_room(self._store, self._guard.run.checkpoints, self._needed)
        folder = self._store.begin(step, self._guard.attempt, folders=folders)
        return answer | {"folder": str(folder)}

    def commit(self, step: int, records: Sequence[FileRecord], metadata: dict[str, Any]) -> bool:
        """Commit, or say that this attempt is superseded.

        Raises:
            StorageError: it cannot be committed.
        """
        if self._guard.is_superseded():
            return True
        self._store.publish(step, self._guard.attempt, records, metadata)
        self._needed = measured_room(records)
        return False

    def delete_after(self, action: Callable[[], None]) -> None:
        """Call `action`, which moves checkpoints to the trash, and begin to delete them."""

        def delete(_: IsCancelled) -> None:
            with suppress(StorageError):  # tried again after the next commit
                self._store.empty_trash()

        action()
        self._wait_for_deletion()
        self._deletion = BackgroundWork(delete, name="deletion of checkpoints")

    def close(self, *, patience_s: float) -> None:
        """Wait for the deletion that is under way, but not longer than `patience_s`."""
        if self._deletion is not None:
            self._deletion.cancel(patience_s=patience_s)

    def _wait_for_deletion(self) -> None:
        if self._deletion is not None:
            self._deletion.result()
