"""`ftdist push` against a Hub on the loopback address."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from io import StringIO
from pathlib import Path

import pytest

from ftdist.cli import main as cli
from ftdist.cli.commands.push import confirm
from ftdist.errors import ConfigError
from ftdist.inference.model_fingerprint import model_fingerprint
from ftdist.io.hashing import file_sha256
from ftdist.library.schema import Sample
from ftdist.library.store.dataset import FORMAT
from ftdist.library.store.samples import write_samples
from tests.support.upload_hub import READER, TOKEN, Stored, UploadHub, upload_hub

PUSHED = {
    "README.md",
    "manifest.json",
    "probes.jsonl",
    *(f"data/{name}.parquet" for name in ("a-train", "a-held_out", "probes")),
}


@pytest.fixture
def hub() -> Iterator[UploadHub]:
    with upload_hub() as served:
        yield served


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A library with what must not leave the machine beside and in it."""
    folder = tmp_path / "libraries" / "widget"
    (folder / "data").mkdir(parents=True)
    files = {}
    for part, name in (("train", "a-train"), ("held_out", "a-held_out")):
        sample = Sample(text=name, location="a: x.md", made_by="passage", doc_id="x")
        write_samples(folder / f"data/{name}.parquet", [sample])
        digest = file_sha256(folder / f"data/{name}.parquet")
        files[part] = {"name": f"data/{name}.parquet", "samples": 1, "bytes": 9, "sha256": digest}
    write_samples(folder / "data/probes.parquet", [sample, sample])
    settings = {
        "library": {"sources": ["a=/home/user/secret-project/manuals", "chats.jsonl"]},
        "model": {"path": "/models/base"},
        "generator": {"base_url": "http://10.0.0.1/v1", "api_key_env": "KEY", "backend": "rules"},
        "cluster": {"account": "physics"},
    }
    source = {"name": "a", "role": "library", "weight": 1.0, "files": files}
    manifest = {"format": FORMAT, "shares": {}, "sources": [source], "settings": settings}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    for name in ("README.md", "probes.jsonl", "index.html", ".lock", "notes.log"):
        (folder / name).write_text(f"{name}\n")
    return folder


def push(
    hub: UploadHub, *words: str | Path, folder: Path, **variables: str
) -> "subprocess.CompletedProcess[str]":
    """Run the command in a process of its own: the Hub's address is read at its start."""
    given = {"HF_ENDPOINT": hub.url, "HF_TOKEN": TOKEN, "HF_HOME": str(folder / "hf")}
    given |= {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    clean = {n: v for n, v in os.environ.items() if "OFFLINE" not in n and not n.startswith("HF_")}
    clean["PYTHONPATH"] = str(Path(cli.__file__).parents[2])
    return subprocess.run(
        [sys.executable, "-m", "ftdist", "push", *map(str, words)],
        cwd=folder,
        env={n: v for n, v in (clean | given | variables).items() if v},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def test_a_library_is_uploaded_once_privately_and_without_what_is_beside_it(
    hub: UploadHub, library: Path, tmp_path: Path
) -> None:
    shown = push(hub, library, "org/widget", "--dry-run", folder=tmp_path)
    assert shown.returncode == 0, shown.stderr
    for fact in ("the library widget", "org/widget (private, new)", "6 files", "me"):
        assert fact in shown.stdout
    assert hub.repositories == {}

    first = push(hub, library, "org/widget", "--yes", folder=tmp_path)
    assert first.returncode == 0, first.stderr
    stored = hub.repositories["dataset", "org/widget"]
    assert stored.private
    assert set(stored.files) == PUSHED
    assert f"Uploaded: {hub.url}/datasets/org/widget/commit/" in first.stdout
    train = "data/a-train.parquet"
    assert stored.files[train] == (library / train).read_bytes()
    manifest = json.loads(stored.files["manifest.json"])
    assert manifest["settings"] == {
        "library": {"sources": ["a=manuals", "chats.jsonl"]},
        "model": {"path": "base"},
        "generator": {"backend": "rules"},
    }

    second = push(hub, library, "org/widget", "--yes", folder=tmp_path)
    assert second.returncode == 0, second.stderr
    assert "Nothing to upload" in second.stdout
    assert len(stored.messages) == 1

    (library / "README.md").write_text("changed\n")
    theirs = {"LICENSE", "data/train-00000-of-00001.parquet", "more/a-train.parquet"}
    stored.files |= dict.fromkeys({*theirs, "data/old-train.parquet"}, b"other")
    third = push(hub, library, "org/widget", "--yes", "--message", "Third", folder=tmp_path)
    assert third.returncode == 0, third.stderr
    # A source that the library no longer has is gone; what others added stays.
    assert set(stored.files) == PUSHED | theirs
    assert stored.files["README.md"] == b"changed\n"
    assert stored.messages[1:] == ["Third"]
    assert len(hub.uploads) == len(set(hub.uploads)) == 3


def test_a_dataset_that_ftdist_did_not_make_is_left_alone(
    hub: UploadHub, library: Path, tmp_path: Path
) -> None:
    stored = Stored(private=True, files={"data/b-train.parquet": b"theirs", "README.md": b"theirs"})
    hub.repositories["dataset", "org/widget"] = stored
    refused = push(hub, library, "org/widget", "--yes", folder=tmp_path)
    assert refused.returncode == 78
    assert "holds another dataset: data/b-train.parquet, and no manifest.json." in refused.stderr
    assert "To fix: name another repository." in refused.stderr
    assert stored.files == {"data/b-train.parquet": b"theirs", "README.md": b"theirs"}


def test_an_upload_that_was_interrupted_goes_on(
    hub: UploadHub, library: Path, tmp_path: Path
) -> None:
    for status, reason in ((0, "could not be reached"), (500, "failed with status 500")):
        hub.commit_status = status
        broken = push(hub, library, "org/widget", "--yes", folder=tmp_path)
        assert broken.returncode == 69, broken.stderr
        assert reason in broken.stderr
        assert "run the command again" in broken.stderr
        assert "Traceback" not in broken.stderr
    hub.commit_status = 200
    again = push(hub, library, "org/widget", "--yes", folder=tmp_path)
    assert again.returncode == 0, again.stderr
    assert set(hub.repositories["dataset", "org/widget"].files) == PUSHED
    assert len(hub.uploads) == len(set(hub.uploads)) == 3


def test_a_public_repository_is_not_written_to_by_accident(
    hub: UploadHub, library: Path, tmp_path: Path
) -> None:
    hub.repositories["dataset", "org/widget"] = stored = Stored(private=False)
    refused = push(hub, library, "org/widget", "--yes", folder=tmp_path)
    assert refused.returncode == 78
    assert "is public, and this upload would be private" in refused.stderr
    assert stored.files == {}
    published = push(hub, library, "org/widget", "--yes", "--public", folder=tmp_path)
    assert published.returncode == 0, published.stderr
    assert set(stored.files) == PUSHED


@pytest.mark.parametrize(
    ("variables", "words", "message", "code"),
    [
        ({"HF_TOKEN": ""}, ["org/widget"], "There is no token for the Hub.", 78),
        ({"HF_TOKEN": READER}, ["org/widget"], "The token of me may only read.", 78),
        ({"HF_TOKEN": "hf_other"}, ["org/widget"], "does not accept the token", 78),
        ({"HF_HUB_OFFLINE": "1"}, ["org/widget"], "switched off by HF_HUB_OFFLINE", 78),
        ({}, ["them/widget", "--yes"], "refuses to write to them/widget: You don't have", 78),
        ({}, ["widget"], "'widget' is not the name of a repository.", 78),
        ({}, ["org/widget"], "there is no terminal to ask", 78),
        ({"HF_ENDPOINT": "http://127.0.0.1:9"}, ["org/widget"], "could not be reached", 69),
    ],
)
def test_faults_are_answered_by_a_sentence_and_a_remedy(
    hub: UploadHub,
    library: Path,
    tmp_path: Path,
    variables: dict[str, str],
    words: list[str],
    message: str,
    code: int,
) -> None:
    failed = push(hub, library, *words, folder=tmp_path, **variables)
    assert failed.returncode == code, failed.stderr
    assert message in failed.stderr
    assert "To fix: " in failed.stderr
    assert hub.repositories == {}


def test_a_card_that_the_hub_rejects_is_answered_with_its_reason(
    hub: UploadHub, library: Path, tmp_path: Path
) -> None:
    hub.card_errors.append('"license" must be one of apache-2.0, mit')
    failed = push(hub, library, "org/widget", "--yes", folder=tmp_path)
    assert failed.returncode == 78
    assert '"license" must be one of apache-2.0, mit' in failed.stderr
    assert "see library.license" in failed.stderr


@pytest.mark.parametrize(
    ("answer", "is_yes"), [("y", True), ("YES", True), ("", False), ("n", False)]
)
def test_a_terminal_is_asked_before_anything_is_uploaded(
    answer: str, is_yes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = StringIO(f"{answer}\n")
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", terminal)
    with nullcontext() if is_yes else pytest.raises(ConfigError, match="Nothing was uploaded"):
        confirm()


def test_the_export_of_a_run_is_uploaded_as_a_model(hub: UploadHub, tmp_path: Path) -> None:
    run = tmp_path / "runs" / "r"
    for name in ("config.yaml", "lock", "metrics.jsonl"):
        run.mkdir(parents=True, exist_ok=True)
        (run / name).write_text("x\n")
    early = push(hub, "r", "me/expert", "--yes", folder=tmp_path)
    assert early.returncode == 78
    assert "Run r has no export.\nTo fix: write it first: `ftdist export r`." in early.stderr

    (run / "export").mkdir()
    names = ("README.md", "config.json", "model.safetensors", "tokenizer.json", ".cache.lock")
    for name in names:
        (run / "export" / name).write_text(f"{name}\n")
    done = push(hub, "r", "me/expert", "--yes", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    stored = hub.repositories["model", "me/expert"]
    assert stored.private
    assert set(stored.files) == set(names) - {".cache.lock"}
    assert stored.messages == ["Upload the export of run r with ftdist"]

    # Weights that would be loaded with the new ones go; an adapter and checkpoints stay.
    theirs = {"adapter_model.safetensors", "checkpoint-5/model-00001-of-00002.safetensors"}
    earlier = {"model-00001-of-00002.safetensors", "model.safetensors.index.json"}
    stored.files |= dict.fromkeys(theirs | earlier, b"other")
    again = push(hub, "r", "me/expert", "--yes", folder=tmp_path)
    assert again.returncode == 0, again.stderr
    assert set(stored.files) == set(names) - {".cache.lock"} | theirs

    merged = push(hub, "r", "me/expert", "--merged", "--yes", folder=tmp_path)
    assert merged.returncode == 78
    assert "Run r has no merged model." in merged.stderr
    model = run / "merge" / "model"
    shutil.copytree(run / "export", model)
    (model / "README.md").write_text("merged\n")
    points = {"export": model_fingerprint(run / "export")}
    (model / "points.json").write_text(json.dumps(points))
    merged = push(hub, "r", "me/expert", "--merged", "--yes", folder=tmp_path)
    assert merged.returncode == 0, merged.stderr
    assert stored.files["README.md"] == b"merged\n"
    assert stored.messages[-1] == "Upload the merged model of run r with ftdist"

    neither = push(hub, tmp_path / "runs", "me/expert", "--yes", folder=tmp_path)
    assert neither.returncode == 78
    assert "is neither a curated library nor a run" in neither.stderr
