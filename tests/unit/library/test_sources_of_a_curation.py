"""What a curation records of its sources, and how large ones are read."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from datasets import Dataset, DatasetDict

from ftdist.config.compose import compose_curation
from ftdist.errors import DataError
from ftdist.io.hashing import FileHashes
from ftdist.io.progress import no_log
from ftdist.library.pipeline import curate
from ftdist.library.readers.discovery import find_sources
from ftdist.library.schema import Row
from ftdist.library.stages.read import StageContext, shards_of
from ftdist.library.stages.read_shard import read_shard
from ftdist.library.store.row_cache import read_row_cache

pytestmark = pytest.mark.timeout(120)


def _curate(tmp_path: Path, sources: str, *more: str) -> dict[str, Any]:
    keys = [
        "library.name=w",
        f"library.root={tmp_path / 'libraries'}",
        f"library.sources=[{sources}]",
        f"work.cache_dir={tmp_path / 'cache'}",
        "work.num_proc=1",
        "clean.dedup=false",
        "split.held_out_conversations=0",
        "split.num_probes=0",
        "split.num_out_of_scope_probes=0",
        *more,
    ]
    folder = curate(compose_curation(keys), model=None, log=no_log).folder
    manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return manifest


def test_the_manifest_says_where_each_source_is_from(tmp_path: Path) -> None:
    rows = [{"title": f"Where is gate {n}?", "body": f"At the left of hall {n}."} for n in range(9)]
    splits = DatasetDict({"train": Dataset.from_list(rows), "test": Dataset.from_list(rows[:2])})
    splits.save_to_disk(str(tmp_path / "saved"))
    (tmp_path / "b.jsonl").write_text(json.dumps({"question": "Which hall?", "answer": "Hall 4."}))
    columns = "columns: {question: title, answer: body}"
    entries = f"{{path: {tmp_path}/saved, name: gates, {columns}}},'{tmp_path}/b.jsonl'"
    manifest = _curate(tmp_path, entries)
    assert manifest["origins"] == {"gates": f"{tmp_path}/saved (split train)"}
    shard = tmp_path / "saved/train/data-00000-of-00001.arrow"
    assert [(file["name"], file["sha256"]) for file in manifest["files"]] == [
        ("train/data-00000-of-00001.arrow", hashlib.sha256(shard.read_bytes()).hexdigest()),
        ("b.jsonl", hashlib.sha256((tmp_path / "b.jsonl").read_bytes()).hexdigest()),
    ]
    assert [(source["name"], source["rows"]) for source in manifest["sources"]] == [
        ("gates", 9),
        ("b", 1),
    ]


def test_replay_from_a_file_of_the_same_name_is_a_source_of_its_own(tmp_path: Path) -> None:
    for folder, answer in (("own", "Hall 4."), ("general", "In the north.")):
        (tmp_path / folder).mkdir()
        row = {"question": "Where?", "answer": answer}
        (tmp_path / folder / "chat.jsonl").write_text(json.dumps(row))
    replay = f"retention.replay_sources=['{tmp_path}/general/chat.jsonl']"
    manifest = _curate(
        tmp_path, f"'{tmp_path}/own/chat.jsonl'", replay, "retention.replay_fraction=0.1"
    )
    sources = [(each["name"], each["role"], each["rows"]) for each in manifest["sources"]]
    assert sources == [("chat", "library", 1), ("chat-2", "replay", 1)]


def test_a_source_that_has_only_files_of_others_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"question": "Where?", "answer": "Hall 4."}))
    problem = f"retention.replay_sources: {path} contains only files of other sources."
    with pytest.raises(DataError) as caught:
        _curate(tmp_path, f"'{path}'", f"retention.replay_sources=['{path}']")
    assert (caught.value.problem, caught.value.remedy) == (problem, "leave it out.")


def test_a_large_parquet_file_is_read_in_shards_with_the_same_rows(tmp_path: Path) -> None:
    rows = [
        {"question": f"Where is gate {n}?", "answer": f"At hall {n}. A{'h' * 30_000}!"}
        for n in range(40)
    ]
    path = tmp_path / "rows.parquet"
    pyarrow.parquet.write_table(
        pyarrow.Table.from_pylist(rows), path, row_group_size=5, compression="none",
        use_dictionary=False,
    )  # fmt: skip
    (source,) = find_sources([str(path)], key="library.sources")
    read: dict[int, list[Row]] = {}
    for mib in (1, 32):
        config = compose_curation(
            ["library.name=w", f"library.sources=['{path}']", f"work.shard_mib={mib}"]
        )
        context = StageContext(config=config, cache_dir=tmp_path, num_proc=1, log=no_log)
        hashes = FileHashes.load(tmp_path / "digests.json")
        shards = shards_of(source, source.files[0], hashes, context=context)
        assert [shard.groups for shard in shards] == (
            [range(6), range(6, 8)] if mib == 1 else [None]
        )
        assert sum(read_shard(shard).rows for shard in shards) == 40
        read[mib] = [row for shard in shards for row in read_row_cache(shard.folder / "rows.arrow")]
    assert read[1] == read[32]
    assert [row.location.row for row in read[1]] == list(range(1, 41))
