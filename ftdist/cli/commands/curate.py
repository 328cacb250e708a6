"""`ftdist curate`: from documents and conversations to a library that teaches."""

import dataclasses
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ftdist_launch.setup.resolve_data import resolve_curation
from ftdist_launch.slurm.client import Queue
from ftdist_launch.slurm.submit_curation import submit_curation
from ftdist_launch.subprocesses import call_child

from ftdist.cli.common import log, print_result
from ftdist.config.compose import compose_curation
from ftdist.config.hydra_flags import hydra_flags, run_hydra_flags
from ftdist.config.keys import CURATE
from ftdist.config.sweep import is_sweep
from ftdist.errors import ConfigError


def main(words: Sequence[str]) -> int:
    """Curate one library.

    Returns:
        0.

    Raises:
        FtdistError: a key is wrong, or a source cannot be used.
    """
    if hydra_flags(words):
        print_result(run_hydra_flags(words, command=CURATE).removesuffix("\n"))
        return 0
    if is_sweep(words):
        raise ConfigError("`ftdist curate` makes one library, not a sweep.", remedy="leave out -m.")
    config = resolve_curation(compose_curation(words), log=log)
    on_cluster = config.cluster.executor == "slurm"
    with tempfile.TemporaryDirectory(prefix="ftdist-") as folder:
        path = Path(folder) / "config.json"
        path.write_text(json.dumps(dataclasses.asdict(config)), encoding="utf-8")
        check = ["check"] if on_cluster else []
        answer = call_child("ftdist.library.main", [*check, str(path)])
    if on_cluster:
        job, output = submit_curation(config, queue=Queue())
        print_result(
            f"Job {job} makes {Path(config.library.root) / config.library.name}. "
            f"Watch it: squeue -j {job}; its words: {output}"
        )
    else:
        print_result(str(answer["card"]))
    return 0
