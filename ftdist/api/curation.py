"""Curate a library from documents and conversations, here or as a job."""

import dataclasses
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ftdist_launch.setup.resolve_data import resolve_curation
from ftdist_launch.slurm.client import Queue
from ftdist_launch.slurm.submit_curation import submit_curation
from ftdist_launch.subprocesses import call_child

from ftdist.config.compose import compose_curation
from ftdist.io.progress import LogFn


@dataclass(frozen=True, kw_only=True)
class Curated:
    """A library that was curated, or the job that makes it."""

    folder: Path
    summary: str
    """What it holds, for people; empty for a job."""

    job: str | None = None
    output: str | None = None
    """File with the output of the job."""


def curate_library(overrides: Sequence[str], *, log: LogFn) -> Curated:
    """Curate one library; with cluster=slurm as a job.

    Args:
        overrides: `key=value`, as on a command line.
        log: for messages to the user.

    Raises:
        FtdistError: a key is wrong, or a source cannot be used.
    """
    config = resolve_curation(compose_curation(overrides), log=log)
    on_cluster = config.cluster.executor == "slurm"
    with tempfile.TemporaryDirectory(prefix="ftdist-") as folder:
        path = Path(folder) / "config.json"
        path.write_text(json.dumps(dataclasses.asdict(config)), encoding="utf-8")
        check = ["check"] if on_cluster else []
        answer = call_child("ftdist.library.main", [*check, str(path)])
    made = Path(config.library.root) / config.library.name
    if on_cluster:
        job, output = submit_curation(config, queue=Queue())
        return Curated(folder=made, summary="", job=job, output=str(output))
    return Curated(folder=Path(answer["folder"]), summary=str(answer["card"]))
