"""Which checkpoints are kept: the newest of sound training, and the best one."""

import json
from collections.abc import Collection, Sequence
from pathlib import Path

from ftdist.checkpoint.manifest import DamagedCheckpointError, read_manifest
from ftdist.checkpoint.search import CheckpointInfo
from ftdist.errors import StorageError
from ftdist.io.filesystem import storage_errors

SOUND = "sound"
"""In a checkpoint's metadata: whether training was sound when it was saved."""


def named_step(path: Path) -> int | None:
    """The step that a file names as the best; None without the file.

    Raises:
        StorageError: it cannot be read, or is damaged.
    """
    with storage_errors("read", path):
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
    try:
        step = json.loads(text)["step"]
    except (ValueError, LookupError, TypeError) as error:
        raise StorageError(
            f"{path} does not name a checkpoint.",
            remedy="delete it; then the newest checkpoint is exported.",
        ) from error
    return step if isinstance(step, int) else None


def sound_steps(committed: Sequence[CheckpointInfo]) -> list[int]:
    """Steps of those at which training was sound; a damaged one counts as none.

    Raises:
        StorageError: one cannot be read just now.
    """
    return [info.step for info in committed if _is_sound(info)]


def _is_sound(info: CheckpointInfo) -> bool:
    try:
        return bool(read_manifest(info.path).metadata.get(SOUND, True))
    except DamagedCheckpointError:
        return False


def steps_to_drop(
    committed: Sequence[CheckpointInfo], *, keep: int, stay: Collection[int | None]
) -> list[int]:
    """Steps of those that are no longer kept.

    Only checkpoints of sound training count: others replace none, and go with the next sound one.

    Args:
        committed: all of them, newest first.
        keep: how many of the newest sound ones are kept.
        stay: steps of further ones that are kept.
    """
    sound = sound_steps(committed)
    stay = {*sound[:keep], *stay}
    newest = sound[0] if sound else 0
    return [info.step for info in committed if info.step < newest and info.step not in stay]
