"""Datasets of the Hub: what is found and downloaded, and what is said where that fails."""

import errno
import json
from pathlib import Path

import pytest
from huggingface_hub import constants, hf_hub_download

from ftdist.errors import DataError, StorageError
from ftdist.library.sources import hub as hub_module
from ftdist.library.sources.hub import HubFiles, hub_files
from ftdist.library.sources.reference import DataReference, hub_path
from tests.support.loopback_hub import TOKEN, LoopbackHub

README = """---
configs:
- config_name: en
  data_files:
  - split: train
    path: en/train-*.jsonl
  - split: test
    path: en/test.jsonl
- config_name: de
  data_files: de/*.jsonl
---
# Questions
"""


def _rows(*answers: str) -> str:
    return "".join(json.dumps({"question": "q", "answer": answer}) + "\n" for answer in answers)


FAQ = {
    "README.md": README,
    "en/train-1.jsonl": _rows("b1", "b2"),
    "en/train-0.jsonl": _rows("a1"),
    "en/test.jsonl": _rows("t1"),
    "de/rows.jsonl": _rows("d1"),
    "probes.jsonl": "{}",
}


def _get(path: str, *, local_only: bool = False, **options: str) -> HubFiles:
    reference = DataReference(path=path, **options)
    hub = hub_path(path, key="library.path")
    assert hub is not None
    return hub_files(hub, reference=reference, key="library.path", local_only=local_only)


def _error(path: str, *, local_only: bool = False, **options: str) -> str:
    with pytest.raises((DataError, StorageError)) as caught:
        _get(path, local_only=local_only, **options)
    return f"{caught.value.problem} -> {caught.value.remedy}"


def _downloads(hub: LoopbackHub) -> list[str]:
    names = [line.rpartition("/")[2] for line in hub.requests if line.startswith("GET /datasets/")]
    return sorted(names)


def test_only_the_chosen_split_of_the_chosen_subset_is_downloaded_once_and_pinned(
    hub: LoopbackHub,
) -> None:
    commit = hub.add("org/faq", FAQ)
    found = _get("org/faq", subset="en")
    assert [file.relative_to(found.root).as_posix() for file in found.files] == [
        "en/train-0.jsonl",
        "en/train-1.jsonl",
    ]
    assert _downloads(hub) == ["README.md", "train-0.jsonl", "train-1.jsonl"]
    assert found.reference == DataReference(
        path=f"hf://datasets/org/faq@{commit}", subset="en", split="train"
    )
    assert found.hub.label == f"org/faq@{commit[:7]}"
    hub.requests.clear()
    again = _get(found.reference.path, subset="en", split="train")
    assert (again.files, hub.requests) == (found.files, [])  # a commit and a cache need no Hub


def test_the_cache_alone_answers_offline_and_where_only_it_may_be_used(
    hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add("org/faq", FAQ)
    online = _get("org/faq", subset="de")
    hub.requests.clear()
    assert _get("org/faq", subset="de", local_only=True).files == online.files
    assert "split" in _error("org/faq", subset="de", split="test", local_only=True)
    assert _error("org/faq", subset="en", local_only=True).startswith(
        "library.path: org/faq is no local path, and the dataset org/faq is not complete in the "
        "cache, and the Hub is not asked here."
    )
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert _get("org/faq", subset="de").files == online.files
    assert "not complete in the cache, and HF_HUB_OFFLINE is set. -> run the command" in _error(
        "hf://datasets/org/other"
    )
    assert hub.requests == []


def test_part_of_a_split_in_the_cache_is_not_taken_for_the_whole(
    hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"data/train-0000{n}-of-00002.jsonl" for n in range(2)]
    commit = hub.add("org/faq", {name: _rows(name) for name in names})
    hf_hub_download("org/faq", names[0], repo_type="dataset")  # leaves no listing in the cache
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    for path in ("org/faq", f"hf://datasets/org/faq@{commit}/data"):
        assert "the dataset org/faq is not complete in the cache, and HF_HUB_OFFLINE" in _error(
            path
        )
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    assert len(_get("org/faq").files) == 2


def test_names_that_lead_out_of_the_repository_are_left_out(
    hub: LoopbackHub, tmp_path: Path
) -> None:
    mine = tmp_path / "mine.jsonl"
    mine.write_text("keep")
    up = "../" * 20 + str(mine).lstrip("/")
    for name in (str(mine), up):
        hub.add("org/faq", {"train.jsonl": _rows("a"), name: _rows("b")}, revision="main")
        found = _get("org/faq")
        assert [file.name for file in found.files] == ["train.jsonl"]
        assert mine.read_text() == "keep"


def test_a_tag_is_taken_as_it_was_and_recorded_with_its_commit(hub: LoopbackHub) -> None:
    old = hub.add("org/faq", {"train.jsonl": _rows("old")}, revision="v1")
    hub.add("org/faq", {"train.jsonl": _rows("new")})
    by_key, by_path = _get("org/faq", revision="v1"), _get("hf://datasets/org/faq@v1")
    assert by_key.reference == by_path.reference
    assert (by_key.hub.revision, by_key.reference.revision) == (old, "v1")
    assert by_key.files[0].read_text() == _rows("old")
    # The record of a run says both; read again, the commit stands.
    assert _get(by_key.reference.path, revision="v1", split="train").hub.revision == old


def test_files_are_named_by_their_path_in_the_repository(hub: LoopbackHub) -> None:
    hub.add("org/faq", FAQ | {".gitattributes": "", "en/.cache/a.jsonl": ""})
    for inside, names in {
        "probes.jsonl": ["probes.jsonl"],
        "de": ["de/rows.jsonl"],
        "en/t*.jsonl": ["en/test.jsonl", "en/train-0.jsonl", "en/train-1.jsonl"],
        "**/*.jsonl": [
            *("de/rows.jsonl", "en/test.jsonl", "en/train-0.jsonl", "en/train-1.jsonl"),
            "probes.jsonl",
        ],
        "en/**/test.*": ["en/test.jsonl"],
        "*": ["probes.jsonl"],  # not the card, nor what is hidden
        "README.md": ["README.md"],
    }.items():
        found = _get(f"hf://datasets/org/faq/{inside}")
        assert [file.relative_to(found.root).as_posix() for file in found.files] == names
    assert "(with ** alone between slashes)" in _error("hf://datasets/org/faq/**.jsonl")
    assert "has no file '../*'" in _error("hf://datasets/org/faq/../*")
    assert "has no file 'fr/*'; its files: .gitattributes, README.md, de/rows" in _error(
        "hf://datasets/org/faq/fr/*"
    )
    assert "names files, which have no subset or split" in _error(
        "hf://datasets/org/faq/de", split="train"
    )


def test_an_unknown_subset_split_or_revision_is_answered_with_those_that_there_are(
    hub: LoopbackHub,
) -> None:
    hub.add("org/faq", FAQ)
    hub.add("org/two", {"dev.csv": "question,answer\n", "test.csv": "question,answer\n"})
    assert _error("org/faq") == (
        "library.path: org/faq has several subsets: en, de. -> set library.subset to one of them."
    )
    assert _error("org/faq", subset="fr") == (
        "library.path: org/faq has no subset 'fr'; its subsets: en, de. -> set library.subset to "
        "one of them."
    )
    assert _error("org/faq", subset="en", split="dev") == (
        "library.path: org/faq has no split 'dev'; its splits: train, test. -> set library.split "
        "to one of them."
    )
    assert "has several splits, none of them train: validation, test." in _error("org/two")
    assert _error("org/faq", revision="v9") == (
        "library.path: org/faq has no revision 'v9'; its branches and tags: main. -> set "
        "library.revision to main."
    )


def test_a_script_is_refused_and_not_run(hub: LoopbackHub, tmp_path: Path) -> None:
    script = f"open({str(tmp_path / 'ran')!r}, 'w')"
    hub.add("org/old", {"old.py": script, "README.md": "# Old"})
    assert _error("org/old").startswith(
        "library.path: org/old is loaded by a script of its own, which neither `datasets` nor "
        "ftdist runs."
    )
    assert not (tmp_path / "ran").exists()


def test_archives_are_refused(hub: LoopbackHub) -> None:
    hub.add("org/zipped", {"data/train.zip": "PK", "README.md": "# Zipped"})
    assert _error("org/zipped").startswith("library.path: org/zipped holds .zip files; ftdist ")


def test_a_dataset_that_may_not_be_seen_says_what_to_do(
    hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add("org/closed", {"train.jsonl": _rows("a")}, access="token")
    hub.add("org/gated", {"train.jsonl": _rows("a")}, access="gated")
    for name in ("org/closed", "org/missing"):
        assert _error(name) == (
            f"library.path: {name} is no local path, and the Hub has no dataset {name}, or none "
            "that you may see. -> correct the path or name; for a private dataset set HF_TOKEN in "
            "the environment."
        )
    assert "org/gated is gated, and you have no access. -> accept its terms" in _error("org/gated")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert len(_get("org/closed").files) == 1


def test_a_download_that_breaks_off_is_continued_and_one_that_fails_is_tried_again(
    hub: LoopbackHub,
) -> None:
    rows = _rows(*map(str, range(1000)))
    for name in ("org/broken", "org/failing"):
        hub.add(name, {"train.jsonl": rows})
    hub.broken_downloads = 1
    assert _get("org/broken").files[0].read_text() == rows
    hub.failing_downloads = 2
    assert _get("org/failing").files[0].read_text() == rows
    assert (hub.broken_downloads, hub.failing_downloads) == (0, 0)


def test_a_hub_that_is_down_or_hangs_ends_in_a_sentence(
    hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add("org/faq", FAQ)
    hub.failing_downloads = 99
    assert "the Hub answers 503 for the dataset org/faq. -> try again later" in _error(
        "org/faq", subset="de"
    )
    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 0.2)
    hub.hangs_s = 2
    assert "the Hub cannot be reached for the dataset org/other (ReadTimeout)" in _error(
        "org/other"
    )
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    assert "cannot be reached for the dataset org/third (ConnectError)" in _error("org/third")


def test_a_cache_on_a_full_disk_is_a_storage_error(
    hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add("org/faq", FAQ)

    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("huggingface_hub.snapshot_download", fail)
    assert _error("org/faq") == (
        "library.path: the dataset org/faq cannot be downloaded: the disk of the cache is full. -> "
        "free some space, or set HF_HOME to a folder on a larger disk that all nodes see; files "
        "that are complete are not downloaded again."
    )
    assert hub_module._ATTEMPTS > 1
