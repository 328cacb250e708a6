"""Sets damaged checkpoints aside, under names that no reader takes for a committed one."""

import re
from pathlib import Path

from ftdist.io import filesystem
from ftdist.io.jsonl import write_whole

_DAMAGED = re.compile(r"step-\d{8,}\.damaged(-\d+)?")


def set_aside(path: Path, problem: str) -> Path:
    """Rename a damaged checkpoint, and write the problem next to it. Returns its new path.

    Raises:
        StorageError: it cannot be renamed.
    """
    root = path.parent
    new = root / f"{path.name}.damaged"
    number = 2
    while new.exists():
        new = root / f"{path.name}.damaged-{number}"
        number += 1
    with filesystem.storage_errors("set aside", path):
        path.rename(new)
        write_whole(root / f"{new.name}.txt", problem + "\n")
        filesystem.fsync_paths(root)
    return new


def damaged_names(root: Path) -> list[str]:
    """Names of the checkpoints that were set aside in a folder."""
    with filesystem.storage_errors("read", root):
        return sorted(path.name for path in root.glob("step-*") if _DAMAGED.fullmatch(path.name))


def describe_loss(problem: str, *, step: int, used_step: int | None) -> str:
    """What is wrong with a checkpoint, and which one is used instead, in a sentence each."""
    if used_step is None:
        return f"{problem} No older checkpoint is left: {_steps_are(step)} lost."
    return f"{problem} step-{used_step:08d} is used instead: {_steps_are(step - used_step)} lost."


def _steps_are(count: int) -> str:
    return "1 step is" if count == 1 else f"{count} steps are"
