"""What an uploaded library tells, and that it is what was curated."""

import json
from pathlib import Path
from typing import Any

import pytest

from ftdist.errors import DataError
from ftdist.io.hashing import file_sha256
from ftdist.library.store.dataset import FORMAT
from ftdist.library.store.files_to_push import files_to_push, public_manifest


def _public(**settings: dict[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = public_manifest({"settings": settings})["settings"]
    return shown


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("clients/acme/manuals", "manuals"),
        ("./../acme/manuals", "manuals"),
        ("a=b/../../acme/manuals", "a=manuals"),
        ("$HOME/manuals", "manuals"),
        ("~/acme/manuals", "manuals"),
        ("/acme/a=b/manuals/", "manuals"),
        ("clients/acme/**/*.md", "*.md"),
        ("hf://datasets/org/name@v2/data", "hf://datasets/org/name@v2/data"),
        ("a=hf://datasets/org/name", "a=hf://datasets/org/name"),
    ],
)
def test_sources_are_uploaded_without_their_folders(path: str, shown: str) -> None:
    sources = [path, {"path": path.removeprefix("a="), "name": "a"}]
    of_entry = {"path": shown.removeprefix("a="), "name": "a"}
    assert _public(
        library={"sources": sources},
        retention={"replay_sources": sources},
        model={"path": path.removeprefix("a=")},
    ) == {
        "library": {"sources": [shown, of_entry]},
        "retention": {"replay_sources": [shown, of_entry]},
        "model": {"path": shown.removeprefix("a=")},
    }


def test_origins_are_uploaded_without_local_folders() -> None:
    origins = {
        "a": "clients/acme/saved (split train)",
        "b": "hf://datasets/org/name@4fc1 (revision main, split train)",
    }
    shown = public_manifest({"settings": {}, "origins": origins})["origins"]
    assert shown == {"a": "saved (split train)", "b": origins["b"]}


def test_people_who_are_named_in_settings_are_not_uploaded() -> None:
    settings = {"dedup": True, "allowlist": ["jo@example.org"]}
    assert _public(clean=settings, library={"assistant_senders": ["Jo"]}) == {
        "clean": {"dedup": True},
        "library": {},
    }


def test_a_file_that_was_changed_after_curation_is_not_shared(tmp_path: Path) -> None:
    files = {}
    (tmp_path / "data").mkdir()
    for part in ("train", "held_out"):
        path = tmp_path / f"data/a-{part}.parquet"
        path.write_bytes(b"rows")
        files[part] = {"name": f"data/a-{part}.parquet", "samples": 1, "sha256": file_sha256(path)}
    source = {"name": "a", "role": "library", "weight": 1.0, "files": files}
    manifest = {"format": FORMAT, "shares": {}, "sources": [source], "settings": {}}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    assert "data/a-held_out.parquet" in files_to_push(tmp_path)
    (tmp_path / "data/a-held_out.parquet").write_bytes(b"other")
    with pytest.raises(DataError, match=r"a-held_out.parquet was changed after it was curated"):
        files_to_push(tmp_path)
