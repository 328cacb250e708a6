"""Which files of a model on the Hub are downloaded."""

import json
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from ftdist_launch.setup.download_model import download, main
from huggingface_hub import constants

from ftdist.errors import ModelError


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
    told = json.loads((tmp_path / "out.json").read_text())
    assert told == {"path": "/cache/snapshots/4f2a", "revision": "4f2a"}
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
