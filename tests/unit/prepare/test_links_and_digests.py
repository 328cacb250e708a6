"""A library of somebody else: links, pipes and manifests that lead to other files are refused."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from ftdist.errors import DataError
from ftdist.io.safe_open import open_regular, pinned
from ftdist.library.schema import BadRow, Passage
from ftdist.library.sources.reference import DataReference
from ftdist.library.store.dataset import FORMAT, open_curated
from ftdist.library.store.samples import write_samples
from ftdist.prepare.data_files import SourceFiles, find_files
from ftdist.prepare.portions import Part
from tests.support.runs.written_library import exchange, write_curated

SECRET = "machine host login me password canary"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "home" / "netrc"
    path.parent.mkdir()
    path.write_text(SECRET)
    return path


@pytest.fixture
def library(tmp_path: Path) -> Path:
    folder = tmp_path / "library"
    folder.mkdir()
    (folder / "a.txt").write_text("Some text.\n")
    return folder


@pytest.mark.fault("XB", "M11")
@pytest.mark.parametrize("what", ["file", "folder", "chain"])
def test_training_refuses_links_that_lead_out_of_the_library(
    secret: Path, library: Path, what: str
) -> None:
    if what == "chain":
        (library / "one").symlink_to(library / "two")
        (library / "two").symlink_to(secret.parent)
    else:
        target = secret if what == "file" else secret.parent
        (library / "notes.txt").symlink_to(target)
    with pytest.raises(DataError, match="it is a link that points outside its folder") as caught:
        find_files(DataReference(path=str(library)), key="library.path")
    assert caught.value.exit_code == 78


@pytest.mark.fault("XB", "M11")
@pytest.mark.timeout(20)
@pytest.mark.parametrize("name", ["rows.jsonl", "probes-1.jsonl", "notes.txt"])
def test_training_refuses_a_pipe_and_does_not_wait_for_it(library: Path, name: str) -> None:
    os.mkfifo(library / name)
    for path in (library, library / name):
        with pytest.raises(DataError, match="is not a file but a folder, pipe, socket or device"):
            find_files(DataReference(path=str(path)), key="library.path")


@pytest.mark.fault("XB", "M11")
def test_a_file_that_became_a_link_after_it_was_found_is_not_read(
    secret: Path, library: Path
) -> None:
    part = Part(path=library / "a.txt", name="a.txt", kind="text", home=library.resolve())
    assert [row.text for row in part.rows if isinstance(row, Passage)] == ["Some text.\n"]
    (library / "a.txt").unlink()
    (library / "a.txt").symlink_to(secret)
    [row] = part.rows
    assert isinstance(row, BadRow)
    assert row.reason == "cannot be read: it is a link that points outside its folder"


@pytest.mark.fault("XB", "M11")
def test_a_pinned_file_stays_the_one_that_was_checked(secret: Path, library: Path) -> None:
    path = library / "a.txt"
    with pinned(path, home=library.resolve()) as checked:
        path.unlink()
        path.symlink_to(secret)
        assert (checked.name, checked.read_text()) == ("a.txt", "Some text.\n")
    with pytest.raises(OSError, match="is not a file but a folder, pipe"):
        open_regular(Path("/dev/null"))


@pytest.mark.fault("XI")
@pytest.mark.parametrize("name", ["../home/netrc", "{secret}", "data/link.parquet"])
def test_a_manifest_that_names_a_file_outside_is_refused(
    tmp_path: Path, secret: Path, name: str
) -> None:
    folder = tmp_path / "curated"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "link.parquet").symlink_to(secret)
    file = {"name": name.format(secret=secret), "samples": 1, "sha256": ""}
    source = {
        "name": "a",
        "role": "library",
        "weight": 1,
        "files": {"train": file, "held_out": file},
    }
    manifest = {"format": FORMAT, "shares": {}, "sources": [source]}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(DataError, match="which is outside of the library") as caught:
        open_curated(folder)
    assert caught.value.exit_code == 78


@pytest.mark.fault("XI")
def test_training_refuses_a_curated_library_with_changed_content(tmp_path: Path) -> None:
    folder = write_curated(tmp_path / "curated", [exchange("What is it?", "A lamp.")])
    curated = open_curated(folder).sources[0]
    files = SourceFiles(
        root=folder, files=(curated.train,), ignored=(), key="", digests=curated.digests
    )
    assert [name for name, _ in files.fingerprint] == ["data/train.parquet"]
    write_samples(curated.train, [exchange("What is it?", "A trap.")])
    with pytest.raises(DataError, match=r"train\.parquet was changed after") as caught:
        replace(files).fingerprint  # noqa: B018 - a property
    assert caught.value.exit_code == 78
