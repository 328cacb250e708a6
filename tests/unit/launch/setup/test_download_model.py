"""Which files of a model on the Hub are downloaded."""

import json
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from ftdist_launch.setup import run_setup
from ftdist_launch.setup.download_model import download, main
from huggingface_hub import constants

from ftdist.config.compose import compose
from ftdist.config.saved_config import dump_config, load_config
from ftdist.errors import ModelError
from ftdist.io.progress import no_log


@pytest.mark.parametrize(("what", "has_weights"), [("weights", True), ("config", False)])
def test_weights_are_downloaded_only_where_they_are_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, has_weights: bool
) -> None:
    wanted: dict[str, Any] = {}

    def download(name: str, **options: Any) -> str:
        wanted.update(options, name=name)
        return "/cache/snapshots/4f2a"

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert main("org/model", "", what, str(tmp_path / "out.json")) == 0
    result = json.loads((tmp_path / "out.json").read_text())
    assert result == {"path": "/cache/snapshots/4f2a", "revision": "4f2a"}
    assert (wanted["name"], wanted["revision"]) == ("org/model", None)
    patterns = wanted["allow_patterns"]
    assert {"*.json", "*.jinja"} <= set(patterns)
    assert ("*.safetensors" in patterns) is has_weights
    assert not [pattern for pattern in patterns if pattern in ("*.bin", "*.py", "*.pt")]


def test_offline_a_model_that_is_not_cached_is_reported_with_the_cache(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError) as caught:
        download("org/nope", revision=None, weights=True)
    cache = constants.HF_HUB_CACHE
    assert caught.value.problem == (
        f"'org/nope' is no local folder and not complete in {cache}, and HF_HUB_OFFLINE is set."
    )
    assert caught.value.remedy.startswith("set model.path to an existing folder, or retry where")


@pytest.mark.fault("XO", "S4")
def test_a_run_is_pinned_to_the_commit_of_its_hub_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = "4f2a" * 10
    snapshot = tmp_path / "models--org--name/snapshots" / commit
    snapshot.mkdir(parents=True)
    asked: list[list[str]] = []

    def call_child(_module: str, words: list[str]) -> dict[str, str]:
        asked.append(words)
        return {"path": str(snapshot), "revision": commit}

    monkeypatch.setattr(run_setup, "call_child", call_child)
    library = tmp_path / "library.jsonl"
    library.write_text('{"question": "a", "answer": "b"}\n')
    words = ["model.path=org/name", "model.revision=main", f"library.path={library}", "run.name=r"]
    config = run_setup.resolve_paths(compose(words), log=no_log)
    assert asked == [["org/name", "main", "weights"]]
    assert (config.model.path, config.model.revision) == (str(snapshot), commit)
    saved = tmp_path / "config.yaml"
    saved.write_text(dump_config(config))
    again = run_setup.resolve_paths(load_config(saved), log=no_log)
    assert (again.model.path, again.model.revision) == (str(snapshot), commit)
    assert len(asked) == 1
