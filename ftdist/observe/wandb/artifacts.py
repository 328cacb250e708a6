"""A run's library and exported model as W&B artifacts: what they are, and whether they changed.

The run uses the library's artifact and logs the model's: W&B draws the lineage from that. No torch,
no wandb.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from ftdist.config.schema import RunConfig
from ftdist.io.hashing import fingerprint
from ftdist.library.store.dataset import MANIFEST
from ftdist.observe.redact import redacted
from ftdist.plan.model_info import model_name
from ftdist.rundir import RunDir

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_.-]+")
MAX_NAME = 128


@dataclass(frozen=True, kw_only=True)
class RunArtifact:
    """A folder that W&B shows as an artifact.

    Attributes:
        name: in W&B.
        type: as W&B groups artifacts: the library is a dataset.
        folder: with its files.
        files: their number.
        size: of all files, bytes.
        metadata: shown by W&B, without secrets.
        digest: changes with names, sizes and times of the files.
    """

    name: str
    type: Literal["dataset", "model"]
    folder: Path
    files: int
    size: int
    metadata: Mapping[str, Any]
    digest: str


def run_artifacts(
    run: RunDir, config: RunConfig, *, environment: Mapping[str, str]
) -> list[RunArtifact]:
    """The artifacts of a run as `tracking.artifacts` says: its library, then its model.

    Args:
        run: its `export/` is the model; without one there is no artifact yet.
        config: names the library; only a curated one is an artifact.
        environment: values of its secrets are hidden.
    """
    if config.tracking.artifacts == "none" or not (run.export / "config.json").is_file():
        return []
    found = [_library(Path(config.library.path)), _model(run, config)]
    return [
        replace(artifact, metadata=redacted(artifact.metadata, environment=environment))
        for artifact in found
        if artifact is not None
    ]


def _library(folder: Path) -> RunArtifact | None:
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        name = str(manifest["name"])
        sources = [source["name"] for source in manifest["sources"]]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return _artifact(f"library-{name}", "dataset", folder, {"sources": sources})


def _model(run: RunDir, config: RunConfig) -> RunArtifact:
    exports = [e for e in run.read_events() if e.get("event") == "model_exported"]
    newest = exports[-1] if exports else {}
    metadata = {
        "base": model_name(config.model.path),
        "step": newest.get("step"),
        "dtype": newest.get("dtype"),
        "run": run.name,
    }
    return _artifact(f"model-{run.name}", "model", run.export, metadata)


def _artifact(
    name: str, kind: Literal["dataset", "model"], folder: Path, metadata: dict[str, Any]
) -> RunArtifact:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    facts = [(path, path.stat()) for path in files]
    return RunArtifact(
        name=_NOT_IN_NAMES.sub("-", name)[:MAX_NAME],
        type=kind,
        folder=folder,
        files=len(files),
        size=sum(stat.st_size for _, stat in facts),
        metadata=metadata,
        digest=fingerprint(
            *((str(path.relative_to(folder)), s.st_size, s.st_mtime_ns) for path, s in facts)
        )[:16],
    )
