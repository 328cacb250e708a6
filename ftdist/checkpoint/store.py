"""The checkpoints of a run: written to a temporary folder, verified, committed by one rename.

    checkpoints/step-00001200/               committed: every file listed in its manifest.json
                step-00001400.partial-3/     being written by attempt 3; never read
                step-00001000.damaged/       set aside; step-00001000.damaged.txt says why
                .trash-step-00000800-1f2e/   being deleted
                best.json                    names the one to export, which is kept

Rank 0 begins, every rank writes its own file and reports its size and hash, rank 0 commits. A
process killed at any instant leaves either the new checkpoint whole or the one before it: a folder
gets its committed name by one rename after its content is on disk, and loses it by one rename
before anything in it is deleted. Readers trust the name for *committed* and the manifest for
*undamaged*.
Imports no torch.
"""

import json
import re
import shutil
import uuid
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ftdist.checkpoint.damage import set_aside
from ftdist.checkpoint.manifest import (
    DamagedCheckpointError,
    FileRecord,
    Manifest,
    check_files,
    check_written,
    damaged,
    verify_folder,
    write_manifest,
)
from ftdist.checkpoint.retention import named_step, sound_steps, steps_to_drop
from ftdist.checkpoint.search import CheckpointInfo, CheckpointSearch
from ftdist.config.schema.checkpoint import MIN_KEPT
from ftdist.errors import StorageError
from ftdist.io import filesystem
from ftdist.io.jsonl import write_whole

_COMMITTED = re.compile(r"step-(\d{8,})")
_PARTIAL = re.compile(r"step-\d{8,}\.partial-(\d+)")
_TRASH = ".trash-"
_BEST = "best.json"


def checkpoint_name(step: int) -> str:
    """Name of the folder that holds the state after `step` optimizer steps."""
    return f"step-{step:08d}"


class CheckpointStore:
    """The committed checkpoints of one run.

    Rank 0 of the newest attempt calls all methods. Not for use by two attempts at once: the run's
    lock prevents that.

    Args:
        root: the folder that holds them; created at the first write.
        keep: how many of the newest are kept, at least `MIN_KEPT` while training goes on; the best
            one is kept too.
    """

    def __init__(self, root: Path, *, keep: int) -> None:
        self._root = root
        self._keep = keep

    def begin(self, step: int, attempt: int, *, folders: Sequence[str] = ()) -> Path:
        """An empty folder to write the checkpoint of `step` into; replaces that of a failed save.

        Args:
            step: optimizer steps done.
            attempt: of the writer.
            folders: names of folders to make in it.

        Raises:
            StorageError: the folder cannot be created.
        """
        partial = self._partial(step, attempt)
        with filesystem.storage_errors("make", partial):
            if partial.exists():
                shutil.rmtree(partial)
            partial.mkdir(parents=True)
            for name in folders:
                (partial / name).mkdir()
        return partial

    def publish(
        self,
        step: int,
        attempt: int,
        records: Sequence[FileRecord],
        metadata: dict[str, Any],
    ) -> Path:
        """Make a checkpoint visible by one rename. Returns its folder.

        Args:
            step: optimizer steps done.
            attempt: of the writer.
            records: size and hash of every file, as the ranks reported them after flushing it.
            metadata: what its readers must know.

        Raises:
            StorageError: a file is missing, has another size or is not described, or the folder
                cannot be written. Nothing became visible; `discard` removes what is left.
        """
        partial, final = self._partial(step, attempt), self._root / checkpoint_name(step)
        with filesystem.storage_errors("commit", partial):
            problems = check_written(partial, records)
            if problems:
                raise StorageError(
                    f"{partial.name} cannot be committed: {'; '.join(problems)}.",
                    remedy="check the disk or the network file system, then save again.",
                )
            manifest = Manifest(
                step=step,
                attempt=attempt,
                files=tuple(sorted(records, key=lambda record: record.name)),
                metadata=metadata,
            )
            write_manifest(partial, manifest)
            partial.rename(final)
            filesystem.fsync_paths(self._root)
        return final

    def discard(self, step: int, attempt: int) -> None:
        """Remove what a failed save left, if anything."""
        shutil.rmtree(self._partial(step, attempt), ignore_errors=True)

    def clean_leftovers(self, attempt: int) -> None:
        """Remove what attempts before this one left half written or half deleted."""
        for path in self._folders():
            partial = _PARTIAL.fullmatch(path.name)
            if partial is not None and int(partial[1]) < attempt:
                shutil.rmtree(path, ignore_errors=True)
        self.empty_trash()

    def empty_trash(self) -> None:
        """Delete what is no longer kept; may take long, and may run beside a save."""
        for path in self._folders():
            if path.name.startswith(_TRASH):
                # A file that another node holds open stays until the next time.
                shutil.rmtree(path, ignore_errors=True)

    def is_committed(self, step: int) -> bool:
        """Whether there is a committed checkpoint of `step`."""
        return (self._root / checkpoint_name(step)).is_dir()

    def committed(self) -> list[CheckpointInfo]:
        """Committed checkpoints, newest first."""
        checkpoints = [
            CheckpointInfo(step=int(match[1]), path=path)
            for path in self._folders()
            if (match := _COMMITTED.fullmatch(path.name))
        ]
        return sorted(checkpoints, key=lambda info: info.step, reverse=True)

    def sound_steps(self) -> list[int]:
        """Steps of the committed checkpoints at which training was sound, newest first."""
        return sound_steps(self.committed())

    def drop(self, steps: Collection[int]) -> None:
        """Move the checkpoints of these steps to the trash.

        Raises:
            StorageError: one cannot be renamed.
        """
        with filesystem.storage_errors("remove checkpoints in", self._root):
            for info in self.committed():
                if info.step in steps:
                    number = uuid.uuid4().hex[:8]
                    info.path.rename(self._root / f"{_TRASH}{info.path.name}-{number}")

    def keep_best(self, step: int) -> None:
        """Keep the checkpoint of `step` until another one is the best.

        Raises:
            StorageError: best.json cannot be written.
        """
        with filesystem.storage_errors("name the best checkpoint in", self._root):
            write_whole(self._root / _BEST, json.dumps({"step": step}) + "\n")
        self.retain(step)

    def keep_last_only(self) -> None:
        """After the last commit: keep no more than `keep`, which may be 1."""
        self._drop_old(keep=self._keep)

    def best(self) -> CheckpointInfo | None:
        """The checkpoint that best.json names, if it exists.

        Raises:
            StorageError: best.json cannot be read, or is damaged.
        """
        step = named_step(self._root / _BEST)
        return next((info for info in self.committed() if info.step == step), None)

    def best_verified(self, on_damaged: Callable[[Path, str], None]) -> CheckpointInfo | None:
        """The best checkpoint; None where none is named or it is damaged.

        A damaged one is set aside, as by `latest_verified`.

        Raises:
            StorageError: it cannot be read just now.
        """
        best = self.best()
        damage = None if best is None else _set_aside_if_damaged(best)
        if damage is None:
            return best
        on_damaged(damage[0], f"{damage[1]} It was the best.")
        return None

    def latest_verified(self, on_damaged: Callable[[Path, str], None]) -> CheckpointInfo | None:
        """The newest undamaged checkpoint; None only where none was ever committed.

        Damaged ones that are newer are set aside. A run whose checkpoints are all damaged does not
        silently start again at step 0.

        Args:
            on_damaged: called for each one that was set aside, with its new path and a sentence:
                what is wrong, which one is used instead and how many steps are lost.

        Raises:
            StorageError: all are damaged, or one cannot be read just now.
        """
        search = self.search(on_damaged)
        while (candidate := search.next()) is not None:
            problems = check_files(candidate.info.path, candidate.manifest.files)
            if not problems:
                search.accept()
                return candidate.info
            search.reject(problems)
        return None

    def search(self, on_damaged: Callable[[Path, str], None]) -> CheckpointSearch:
        """The search of `latest_verified`, whose files somebody else verifies."""
        return CheckpointSearch(self._root, self.committed(), on_damaged)

    def retain_early(self) -> None:
        """Make room for a save: delete what it makes superfluous, and what was left half deleted.

        The oldest one goes only where retention would remove it after this save, and two stay.
        """
        self._drop_old(keep=max(self._keep - 1, MIN_KEPT))
        self.empty_trash()

    def _partial(self, step: int, attempt: int) -> Path:
        return self._root / f"{checkpoint_name(step)}.partial-{attempt}"

    def _folders(self) -> Iterator[Path]:
        with filesystem.storage_errors("read", self._root):
            if self._root.exists():
                yield from [path for path in self._root.iterdir() if path.is_dir()]

    def retain(self, just_committed: int) -> None:
        """Move what is no longer kept to the trash: see `empty_trash`.

        What fails is tried again after the next commit.

        Args:
            just_committed: the step of a checkpoint that stays too.
        """
        self._drop_old(keep=max(self._keep, MIN_KEPT), stay=just_committed)

    def _drop_old(self, *, keep: int, stay: int | None = None) -> None:
        """Move all but the newest `keep` sound ones, `stay` and the best to the trash."""
        with suppress(OSError, StorageError):
            best = self.best()
            also = {stay, None if best is None else best.step}
            self.drop(steps_to_drop(self.committed(), keep=keep, stay=also))


def _set_aside_if_damaged(info: CheckpointInfo) -> tuple[Path, str] | None:
    """The new path of a damaged checkpoint, and what is wrong with it."""
    try:
        manifest = verify_folder(info.path)
        if manifest.step != info.step:
            raise damaged(info.path, [f"its manifest is of step {manifest.step}"])
    except DamagedCheckpointError as error:
        return set_aside(info.path, error.problem), error.problem
    return None
