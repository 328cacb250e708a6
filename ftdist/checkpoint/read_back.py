"""A commit, read back as another process sees it."""

from pathlib import Path

from ftdist.checkpoint.manifest import MANIFEST, check_written, read_manifest
from ftdist.errors import StorageError
from ftdist.io.filesystem import storage_errors
from ftdist.io.retry import wait_for


def read_back(folder: Path, *, step: int) -> None:
    """Open a committed checkpoint again: its manifest, and the sizes of its files.

    A rename that a server has lost, or that this node does not see, is found before the
    checkpoints that the new one replaces are deleted. Of many files only some are opened.

    Args:
        folder: as committed by another rank.
        step: of the checkpoint.

    Raises:
        TransientStorageError: it does not show here in time.
        StorageError: it is not what was committed.
    """
    wait_for(folder / MANIFEST)
    manifest = read_manifest(folder)
    with storage_errors("read", folder):
        problems = check_written(folder, manifest.files)
    if manifest.step != step:
        problems.append(f"its manifest is of step {manifest.step}")
    if problems:
        raise StorageError(
            f"Checkpoint {folder.name} was committed but reads differently: {'; '.join(problems)}.",
            remedy="check the disk or the network file system; the checkpoints before it are kept.",
        )
