"""Library and exported model as W&B artifacts with lineage, each version once.

Real wandb, in processes of its own, against a stand-in for its server on this machine.
"""

import json
from pathlib import Path
from typing import Any

from ftdist.config.saved_config import dump_config, load_config
from ftdist.observe.wandb.artifacts import run_artifacts
from ftdist.observe.wandb.state import wandb_id
from ftdist.rundir import RunDir
from tests.support.wandb.fake_run import STEPS, make_config, make_run, record
from tests.support.wandb.uploads import Loopback, sync

MANUAL = b'{"text": "Hold the green button."}\n'


def exported_run(folder: Path, *, artifacts: str) -> RunDir:
    run = make_run(folder / "r", wandb="auto")
    library = folder / "library"
    library.mkdir()
    (library / "manifest.json").write_text(json.dumps({"name": "widget", "sources": []}))
    (library / "manual.jsonl").write_bytes(MANUAL)
    more = [f"library.path={library}", f"tracking.artifacts={artifacts}"]
    run.config.write_text(dump_config(make_config(folder, wandb="auto", more=more)))
    record(run, attempt=1, steps=range(1, STEPS + 1))
    run.export.mkdir()
    (run.export / "config.json").write_text("{}")
    (run.export / "model.safetensors").write_bytes(b"weights")
    run.append_event("model_exported", step=STEPS, dtype="float32")
    run.append_event("attempt_finished", attempt=1, outcome="done")
    return run


def shown(server: Loopback) -> list[tuple[str, str, bool]]:
    return [
        (artifact.name, artifact.type, artifact.is_input)
        for kind in ("library-", "model-")
        for artifact in server.artifacts.committed(kind)
    ]


def test_the_run_uses_the_library_and_logs_the_model_once(tmp_path: Path) -> None:
    run = exported_run(tmp_path, artifacts="files")
    with Loopback() as server:
        first = sync(run, server.environment())
        assert first.exit_code == 0, first.err
        assert "artifact library-widget uploaded now, artifact model-r uploaded now" in first.out
        assert shown(server) == [("library-widget", "dataset", True), ("model-r", "model", False)]
        assert {MANUAL, b"weights"} <= set(server.uploads.values())
        assert "nothing new" in sync(run, server.environment()).out
        (run.export / "model.safetensors").write_bytes(b"other weights")
        again = sync(run, server.environment())
        assert "artifact model-r uploaded now" in again.out
        assert "library-widget" not in again.out
        assert server.artifacts.committed("model-r")[-1].digest != (
            server.artifacts.committed("model-r")[0].digest
        )
        assert (server.unknown, server.errors) == ([], [])
        assert server.runs[wandb_id(run)].state == "finished"


def test_references_upload_names_and_hashes_without_contents(tmp_path: Path) -> None:
    run = exported_run(tmp_path, artifacts="references")
    with Loopback() as server:
        first = sync(run, server.environment())
        assert first.exit_code == 0, first.err
        assert shown(server) == [("library-widget", "dataset", True), ("model-r", "model", False)]
        sent = b"\n".join([*server.bodies, *server.uploads.values()])
        assert MANUAL.strip() not in sent
        assert b"weights\n" not in sent
        manifests: list[dict[str, Any]] = [
            json.loads(body)
            for name, body in server.uploads.items()
            if name.endswith("wandb_manifest.json")
        ]
        paths = {name for manifest in manifests for name in manifest["contents"]}
        assert {"manual.jsonl", "model.safetensors"} <= paths
        entry = next(
            m["contents"]["manual.jsonl"] for m in manifests if "manual.jsonl" in m["contents"]
        )
        assert entry["ref"] == (tmp_path / "library" / "manual.jsonl").as_uri()
        assert entry["size"] == len(MANUAL)


def test_nothing_is_an_artifact_without_an_export_or_a_wish(tmp_path: Path) -> None:
    run = exported_run(tmp_path, artifacts="none")
    assert run_artifacts(run, load_config(run.config), environment={}) == []
    config = make_config(tmp_path, wandb="auto", more=["tracking.artifacts=files"])
    (model,) = run_artifacts(run, config, environment={"MY_TOKEN": "float32"})
    assert (model.name, model.metadata["dtype"]) == ("model-r", "float32")  # too short for a secret
    (run.export / "config.json").unlink()
    assert run_artifacts(run, config, environment={}) == []
