"""Whether a run's folders can take what a comparison or a blending writes."""

import os
from collections.abc import Iterator
from typing import Literal

from ftdist.errors import FtdistError, StorageError
from ftdist.rundir import RunDir


def place_problems(run: RunDir, *, stage: Literal["compare", "blend"]) -> Iterator[FtdistError]:
    """What keeps results from being written, told before models are loaded."""
    place, what = (run.report, "answers") if stage == "compare" else (run.blend, "blends")
    for folder in (run.root, run.jobs, run.attempts, place):
        if not os.path.lexists(folder):
            continue  # it is made, in the run's own
        if not folder.is_dir():
            holds = what if folder == place else "records"
            yield StorageError(
                f"{folder} is no folder, and the {holds} of run {run.name} belong there.",
                remedy="move it elsewhere, then ask again.",
            )
        elif not os.access(folder, os.W_OK | os.X_OK):
            yield StorageError(
                f"The folder {folder} is not writable.",
                remedy="give yourself the right to write there, or ask whose it is to do this.",
            )
