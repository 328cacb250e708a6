"""Which data paths name a dataset of the Hub, and which local files."""

from pathlib import Path

import pytest

from ftdist.errors import ConfigError
from ftdist.library.sources.reference import (
    DataReference,
    HubPath,
    hub_path,
    refuse_slice,
    source_name,
)

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("path", "repo", "revision", "inside"),
    [
        ("org/name", "org/name", None, ""),
        ("hf://datasets/org/name", "org/name", None, ""),
        ("hf://datasets/org/name/", "org/name", None, ""),
        ("hf://datasets/org/name@v1.2", "org/name", "v1.2", ""),
        ("hf://datasets/org/name@v1.2/data/*.parquet", "org/name", "v1.2", "data/*.parquet"),
        (f"hf://datasets/org/na-me.x@{COMMIT}/a@b.jsonl", "org/na-me.x", COMMIT, "a@b.jsonl"),
        (
            "hf://datasets/org/name@refs/convert/parquet/default/train",
            "org/name",
            "refs/convert/parquet",
            "default/train",
        ),
        ("hf://datasets/org/name@refs%2Fpr%2F7/a", "org/name", "refs/pr/7", "a"),
        ("hf://datasets/org/name/a@b/c", "org/name", None, "a@b/c"),
    ],
)
def test_a_name_is_taken_apart_and_written_back(
    path: str, repo: str, revision: str | None, inside: str
) -> None:
    hub = hub_path(path, key="library.path")
    assert hub == HubPath(repo=repo, revision=revision, inside=inside)
    assert hub_path(str(hub), key="library.path") == hub


def test_what_is_or_could_be_local_is_no_dataset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").mkdir()
    (tmp_path / "single").symlink_to("nowhere")
    for path in ("manual", "a/b/c", "/org/name", "./org/name", "~/org", "org/rows.jsonl.gz",
                 "here/name", "org/a.pdf", "data/*.parquet"):  # fmt: skip
        assert hub_path(path, key="k") is None, path


@pytest.mark.parametrize("path", ["hf://org/name", "hf://datasets/name", "hf://models/org/name"])
def test_an_address_that_names_no_dataset_is_refused(path: str) -> None:
    with pytest.raises(ConfigError, match="is not the name of a dataset") as caught:
        hub_path(path, key="library.path")
    assert "hf://datasets/ORG/NAME" in caught.value.remedy


def test_a_source_is_called_like_its_dataset_or_file() -> None:
    assert source_name("org/faq") == "faq"
    assert source_name(f"hf://datasets/org/faq@{COMMIT}") == "faq"
    assert source_name("hf://datasets/org/faq/chats/en.jsonl.gz") == "en"
    assert source_name("hf://datasets/org/faq/*.jsonl") == "faq"


@pytest.mark.parametrize("split", ["train[:10%]", "train+test"])
def test_a_part_or_sum_of_splits_is_refused(split: str) -> None:
    with pytest.raises(ConfigError, match="is a part or sum of splits"):
        refuse_slice(DataReference(path="org/name", split=split), key="library.path")
