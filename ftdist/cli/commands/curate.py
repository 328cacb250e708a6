"""`ftdist curate`: from documents and conversations to a library that teaches."""

import dataclasses
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ftdist.config.compose import compose_curation, hydra_flags, is_sweep, run_hydra_flags
from ftdist.config.keys import CURATE
from ftdist.errors import ConfigError

if TYPE_CHECKING:
    from ftdist.config.schema.curate import CurateConfig


def main(words: Sequence[str]) -> int:
    """Curate one library.

    Returns:
        0.

    Raises:
        FtdistError: a key is wrong, or a source cannot be used.
    """
    if hydra_flags(words):
        sys.stdout.write(run_hydra_flags(words, command=CURATE))
        return 0
    if is_sweep(words):
        raise ConfigError("`ftdist curate` makes one library, not a sweep.", remedy="leave out -m.")
    from ftdist_launch.subprocesses import call_child

    from ftdist.cli.common import print_result

    config = compose_curation(words)
    with tempfile.TemporaryDirectory(prefix="ftdist-") as folder:
        path = Path(folder) / "config.json"
        path.write_text(json.dumps(dataclasses.asdict(config)), encoding="utf-8")
        if config.cluster.executor == "slurm":
            call_child("ftdist.library.main", ["check", str(path)])
            return _submit(config)
        answer = call_child("ftdist.library.main", [str(path)])
    print_result(str(answer["card"]))
    return 0


def _submit(config: "CurateConfig") -> int:
    """Hand the curation to SLURM."""
    from ftdist_launch.slurm.client import Queue
    from ftdist_launch.slurm.submit_curation import submit_curation

    from ftdist.cli.common import print_result

    taken = submit_curation(config, queue=Queue())
    print_result(
        f"Job {taken.job} makes {Path(config.library.root) / config.library.name}. "
        f"Watch it: squeue -j {taken.job}; its words: {taken.log}"
    )
    return 0
