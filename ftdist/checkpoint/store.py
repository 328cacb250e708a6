"""Where checkpoints lie: written beside, verified, committed by one rename. No torch.

    checkpoints/step-00001200/               committed: every file named in its manifest.json
                step-00001400.partial-3/     being written by attempt 3; nobody reads it
                step-00001000.damaged/       set aside; step-00001000.damaged.txt says why
                .trash-step-00000800-1f2e/   on its way out
                best.json                    names the one to export, which stays

The lead begins, every rank writes and describes its own files, the lead commits. A process killed
at any instant leaves either the new checkpoint whole or the one before it: a folder gets its
committed name by one rename after all in it is on disk, and loses it by one rename before anything
in it is deleted. A reader trusts the name for *committed* and the manifest for *undamaged*.
"""

import json
import re
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftdist.checkpoint.manifest import (
    DamagedCheckpointError,
    FileRecord,
    Manifest,
    check_presence,
    damaged,
    describe_file,
    verify_folder,
    write_manifest,
)
from ftdist.errors import StorageError
from ftdist.io import filesystem
from ftdist.io.jsonl import write_whole

__all__ = [
    "CheckpointInfo",
    "CheckpointStore",
    "DamagedCheckpointError",
    "FileRecord",
    "Manifest",
    "checkpoint_name",
]

_COMMITTED = re.compile(r"step-(\d{8,})")
_PARTIAL = re.compile(r"step-\d{8,}\.partial-(\d+)")
_DAMAGED = re.compile(r"step-\d{8,}\.damaged(-\d+)?")
_TRASH = ".trash-"
_BEST = "best.json"


def checkpoint_name(step: int) -> str:
    """Name of the folder that holds the state after `step` optimizer steps."""
    return f"step-{step:08d}"


@dataclass(frozen=True, kw_only=True)
class CheckpointInfo:
    """One committed checkpoint."""

    step: int
    """Optimizer steps done when it was taken."""

    path: Path
    """Its folder."""


class CheckpointStore:
    """The committed checkpoints of one run.

    Only the lead of the newest attempt begins, commits, discards and clears; every rank describes.
    Not for use by two attempts at once: the run's lock sees to that.

    Args:
        root: the folder that holds them; made when first written to.
        keep: how many of the newest committed ones stay, at least 1; the best one stays too.
    """

    def __init__(self, root: Path, *, keep: int) -> None:
        assert keep >= 1, keep
        self._root = root
        self._keep = keep

    def begin(self, step: int, attempt: int) -> Path:
        """An empty folder to write the checkpoint of `step` into; a failed try's rest is removed.

        Raises:
            StorageError: the folder cannot be made, or `step` is committed already (ask
                `is_committed` first: a run resumed at its last step has nothing to save).
        """
        if self.is_committed(step):
            raise StorageError(
                f"{checkpoint_name(step)} is committed already, in {self._root}.",
                remedy="resume from it instead of writing it again.",
            )
        partial = self._partial(step, attempt)
        with filesystem.storage_errors("make", partial):
            if partial.exists():
                shutil.rmtree(partial)
            partial.mkdir(parents=True)
        return partial

    def describe(self, files: Sequence[Path]) -> list[FileRecord]:
        """Bring this rank's files and their names to disk, and say what they hold.

        Raises:
            StorageError: a file is not there or cannot be brought to disk.
        """
        records = []
        for path in files:
            with filesystem.storage_errors("bring to disk", path):
                records.append(describe_file(path))
        for folder in {path.parent for path in files}:
            with filesystem.storage_errors("bring to disk", folder):
                filesystem.fsync_paths(folder)
        return records

    def commit(
        self,
        step: int,
        attempt: int,
        records: Sequence[FileRecord],
        metadata: dict[str, Any],
    ) -> Path:
        """Make a checkpoint visible, once all ranks have described theirs; then let old ones go.

        Args:
            step: as begun.
            attempt: as begun.
            records: of all ranks together.
            metadata: anything JSON, for people and for loading.

        Returns:
            The committed folder.

        Raises:
            StorageError: a file is missing, of another size or not described; or the folder cannot
                be written. Nothing has become visible then; `discard` removes the rest.
        """
        partial, final = self._partial(step, attempt), self._root / checkpoint_name(step)
        with filesystem.storage_errors("commit", partial):
            problems = check_presence(partial, records)
            if len({record.name for record in records}) != len(records):
                problems.append("two ranks describe a file of the same name")
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
        self._retain(step)
        return final

    def discard(self, step: int, attempt: int) -> None:
        """Remove what a failed save left; safe to call when there is nothing."""
        shutil.rmtree(self._partial(step, attempt), ignore_errors=True)

    def clean_leftovers(self, attempt: int) -> None:
        """Remove what earlier attempts left half written or half deleted. At an attempt's start.

        A later attempt's folders stay: they are not this one's to judge.
        """
        for path in self._folders():
            partial = _PARTIAL.fullmatch(path.name)
            if partial is not None and int(partial[1]) < attempt:
                shutil.rmtree(path, ignore_errors=True)
        self._empty_trash()

    def is_committed(self, step: int) -> bool:
        """Whether there is a committed checkpoint of `step`."""
        return (self._root / checkpoint_name(step)).is_dir()

    def committed(self) -> list[CheckpointInfo]:
        """Committed checkpoints, newest first; names alone, nothing is read."""
        found = [
            CheckpointInfo(step=int(match[1]), path=path)
            for path in self._folders()
            if (match := _COMMITTED.fullmatch(path.name))
        ]
        return sorted(found, key=lambda info: info.step, reverse=True)

    def keep_best(self, step: int) -> None:
        """Have the checkpoint of `step` stay until another one is the best. On the lead.

        Raises:
            StorageError: this cannot be written down.
        """
        with filesystem.storage_errors("name the best checkpoint in", self._root):
            write_whole(self._root / _BEST, json.dumps({"step": step}) + "\n")
        self._retain(step)

    def best(self) -> CheckpointInfo | None:
        """The checkpoint that is named the best; None where none is, or it is not there.

        Raises:
            StorageError: what names it cannot be read just now, or is damaged.
        """
        path = self._root / _BEST
        with filesystem.storage_errors("read", path):
            try:
                text = path.read_text(encoding="utf-8")
            except FileNotFoundError:
                return None
        try:
            step = json.loads(text)["step"]
        except (ValueError, LookupError, TypeError) as error:
            raise StorageError(
                f"{path} does not name a checkpoint.",
                remedy="delete it: the newest checkpoint is exported then.",
            ) from error
        return next((info for info in self.committed() if info.step == step), None)

    def verify(self, path: Path) -> Manifest:
        """Check every file of a checkpoint by presence, size and hash; reads all of it.

        Raises:
            DamagedCheckpointError: names every file that is missing, too many, cut or changed.
            StorageError: a file cannot be read just now.
        """
        return verify_folder(path)

    def best_verified(self, on_damaged: Callable[[Path, str], None]) -> CheckpointInfo | None:
        """The best checkpoint, if one is named; a damaged one is set aside. On the lead.

        Args:
            on_damaged: as for `latest_verified`.

        Returns:
            None where none is named, or it is damaged: `latest_verified` has the next best.

        Raises:
            StorageError: it cannot be read just now.
        """
        best = self.best()
        if best is None:
            return None
        try:
            verify_folder(best.path)
        except DamagedCheckpointError as error:
            aside = self._set_aside(best, error.problem)
            on_damaged(aside.path, f"{error.problem} It was the best.")
            return None
        return best

    def latest_verified(self, on_damaged: Callable[[Path, str], None]) -> CheckpointInfo | None:
        """The newest undamaged checkpoint. Damaged ones on the way are set aside. On the lead.

        Args:
            on_damaged: told of each one set aside: where it is now, and a sentence on what was
                wrong, which one is used instead and how many steps are lost.

        Returns:
            None where none was ever committed, and only there: a run whose checkpoints are all
            damaged does not quietly begin again at step 0.

        Raises:
            StorageError: all are damaged, or one cannot be read just now.
        """
        aside: list[tuple[CheckpointInfo, str]] = []
        good: CheckpointInfo | None = None
        for info in self.committed():
            try:
                manifest = verify_folder(info.path)
                if manifest.step != info.step:
                    raise damaged(info.path, [f"its manifest is of step {manifest.step}"])
            except DamagedCheckpointError as error:
                aside.append((self._set_aside(info, error.problem), error.problem))
            else:
                good = info
                break
        for info, problem in aside:
            on_damaged(info.path, f"{problem} {_instead(info.step, good)}")
        set_aside = sorted(path.name for path in self._folders() if _DAMAGED.fullmatch(path.name))
        if good is None and set_aside:
            raise StorageError(
                f"No undamaged checkpoint is left in {self._root}: {', '.join(set_aside)} "
                "cannot be used.",
                remedy="put the files back from a copy and take `.damaged` off the folder's name, "
                "or delete these folders to begin at step 0.",
            )
        return good

    def free_gib(self) -> float:
        """Room left on the checkpoints' disk, GiB; quotas are not seen."""
        with filesystem.storage_errors("look at", self._root):
            return filesystem.free_gib(self._root)

    def require_space(self, gib: float) -> None:
        """Refuse to go on with less than `gib` GiB free.

        Raises:
            StorageError: there is less.
        """
        free = self.free_gib()
        if free >= gib:
            return
        set_aside = sorted(path.name for path in self._folders() if _DAMAGED.fullmatch(path.name))
        raise StorageError(
            f"Checkpoints need {gib:.2f} GiB, but the disk of {self._root} has {free:.2f} GiB "
            "free.",
            remedy=f"free {gib - free:.2f} GiB"
            + (f" (damaged ones: {', '.join(set_aside)})" if set_aside else "")
            + ", lower checkpoint.keep_latest, or set run.root to another disk.",
        )

    def _partial(self, step: int, attempt: int) -> Path:
        return self._root / f"{checkpoint_name(step)}.partial-{attempt}"

    def _folders(self) -> Iterator[Path]:
        with filesystem.storage_errors("read", self._root):
            if self._root.exists():
                yield from [path for path in self._root.iterdir() if path.is_dir()]

    def _retain(self, just_committed: int) -> None:
        """Let all but the newest `keep` and the best go; failing here is no error."""
        try:
            best = self.best()
            stay = {just_committed} if best is None else {just_committed, best.step}
            for info in self.committed()[self._keep :]:
                if info.step not in stay:
                    trash = f"{_TRASH}{info.path.name}-{uuid.uuid4().hex[:8]}"
                    info.path.rename(self._root / trash)
            self._empty_trash()
        except (OSError, StorageError):
            return  # The next commit tries again.

    def _empty_trash(self) -> None:
        for path in self._folders():
            if path.name.startswith(_TRASH):
                # A file that a reader on another node holds open stays; the next try gets it.
                shutil.rmtree(path, ignore_errors=True)

    def _set_aside(self, info: CheckpointInfo, problem: str) -> CheckpointInfo:
        taken = {path.name for path in self._folders()}
        name = f"{info.path.name}.damaged"
        again = 2
        while name in taken:
            name = f"{info.path.name}.damaged-{again}"
            again += 1
        place = self._root / name
        with filesystem.storage_errors("set aside", info.path):
            info.path.rename(place)
            write_whole(self._root / f"{name}.txt", problem + "\n")
            filesystem.fsync_paths(self._root)
        return CheckpointInfo(step=info.step, path=place)


def _instead(step: int, good: CheckpointInfo | None) -> str:
    if good is None:
        return f"No older checkpoint is left: {_steps(step)} lost."
    return f"{good.path.name} is used instead: {_steps(step - good.step)} lost."


def _steps(count: int) -> str:
    return "1 step is" if count == 1 else f"{count} steps are"
