"""The search for the newest undamaged checkpoint; damaged ones are set aside on the way."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ftdist.checkpoint.damage import damaged_names, describe_loss, set_aside
from ftdist.checkpoint.manifest import (
    DamagedCheckpointError,
    Manifest,
    check_names,
    damaged,
    read_manifest,
)
from ftdist.errors import StorageError
from ftdist.io.filesystem import storage_errors


@dataclass(frozen=True, kw_only=True)
class CheckpointInfo:
    """One committed checkpoint: optimizer steps done, and its folder."""

    step: int
    path: Path


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A checkpoint with a sound manifest, whose files are yet to be verified."""

    info: CheckpointInfo
    manifest: Manifest


class CheckpointSearch:
    """Offers checkpoints, newest first, until one is accepted. Reads manifests only.

    Whoever searches verifies the files, on one process or on all ranks.

    Args:
        root: the folder that holds them.
        committed: all of them, newest first.
        on_damaged: called for each one that was set aside, with its new path and a sentence:
            what is wrong, which one is used instead and how many steps are lost.
    """

    def __init__(
        self,
        root: Path,
        committed: Sequence[CheckpointInfo],
        on_damaged: Callable[[Path, str], None],
    ) -> None:
        self._root = root
        self._remaining = list(committed)
        self._on_damaged = on_damaged
        self._damaged: list[tuple[int, Path, str]] = []
        self._offered: CheckpointInfo | None = None

    def next(self) -> Candidate | None:
        """The newest checkpoint that is not known to be damaged; None where there never was one.

        A run whose checkpoints are all damaged does not silently start again at step 0.

        Raises:
            StorageError: all are damaged, or one cannot be read just now.
        """
        while self._remaining:
            info = self._offered = self._remaining.pop(0)
            try:
                return Candidate(info=info, manifest=_sound_manifest(info))
            except DamagedCheckpointError as error:
                self._set_aside(error)
        self._report(used=None)
        names = damaged_names(self._root)
        if names:
            raise StorageError(
                f"No undamaged checkpoint is left in {self._root}; damaged: {', '.join(names)}.",
                remedy="restore the files from a copy and remove `.damaged` from the folder's "
                "name, or delete these folders and resume with resume.restart=true.",
            )
        return None

    def reject(self, problems: Sequence[str]) -> None:
        """Set the offered checkpoint aside.

        Args:
            problems: of its files, one clause each.

        Raises:
            StorageError: it cannot be renamed.
        """
        assert self._offered is not None
        self._set_aside(damaged(self._offered.path, problems))

    def accept(self) -> None:
        """End the search with the offered checkpoint."""
        self._report(used=self._offered)

    def _set_aside(self, error: DamagedCheckpointError) -> None:
        assert self._offered is not None
        new_path = set_aside(self._offered.path, error.problem)
        self._damaged.append((self._offered.step, new_path, error.problem))

    def _report(self, *, used: CheckpointInfo | None) -> None:
        used_step = None if used is None else used.step
        for step, path, problem in self._damaged:
            self._on_damaged(path, describe_loss(problem, step=step, used_step=used_step))
        self._damaged.clear()


def _sound_manifest(info: CheckpointInfo) -> Manifest:
    manifest = read_manifest(info.path)
    if manifest.step != info.step:
        raise damaged(info.path, [f"its manifest is of step {manifest.step}"])
    with storage_errors("read", info.path):
        problems = check_names(info.path, manifest.files)
    if problems:
        raise damaged(info.path, problems)
    return manifest
