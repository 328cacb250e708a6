"""Ranks verify a checkpoint together; its commit does not grow with their number."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from ftdist.checkpoint.manifest import MAX_OPENED, FileRecord, check_written, share_of
from ftdist.checkpoint.store import CheckpointStore
from ftdist.errors import StorageError
from ftdist.zero.resharding import pieces, shard_range
from ftdist.zero.shard_files import REFERENCE_LOGITS, shard_name
from tests.support.models.fake_checkpoints import commit, names, never, save, write


def records_of(world_size: int) -> list[FileRecord]:
    files = [REFERENCE_LOGITS] + [
        shard_name(rank=rank, world_size=world_size) for rank in range(world_size)
    ]
    return [FileRecord(name=name, size=1, sha256="") for name in sorted(files)]


@pytest.mark.parametrize("written_by", [1, 2, 3, 8, 64])
@pytest.mark.parametrize("read_by", [1, 2, 3, 8, 64])
def test_each_file_is_verified_once_by_a_rank_that_reads_it(written_by: int, read_by: int) -> None:
    records, elements = records_of(written_by), 6400
    shares = [share_of(records, rank=rank, size=read_by) for rank in range(read_by)]
    assert sorted(r.name for share in shares for r in share) == [r.name for r in records]
    assert max(map(len, shares)) <= -(-len(records) // read_by)
    for rank, share in enumerate(shares):
        start, stop = shard_range(elements, rank=rank, world_size=read_by)
        parts = pieces(start=start, stop=stop, elements=elements, world_size=written_by)
        read = {shard_name(rank=part.rank, world_size=written_by) for part in parts}
        assert {record.name for record in share} - {REFERENCE_LOGITS} <= read


def test_a_rank_verifies_only_its_own_file_where_the_number_of_ranks_is_the_same() -> None:
    records = records_of(512)
    own = [record.name for record in share_of(records, rank=300, size=512)]
    assert own == ["shards-001/rank-00300-of-00512.safetensors"]


def test_a_commit_opens_few_of_many_files(tmp_path: Path) -> None:
    (tmp_path / "shards-000").mkdir()
    records = [write(tmp_path, f"shards-000/{number:04}", b"x") for number in range(1000)]
    opened: list[str] = []

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and str(arguments[0]).startswith(str(tmp_path)):
            opened.append(str(arguments[0]))

    sys.addaudithook(hook)
    assert check_written(tmp_path, records) == []
    assert 32 <= len(opened) <= MAX_OPENED
    (tmp_path / "shards-000" / "stray").touch()
    assert check_written(tmp_path, records) == ["shards-000/stray is unexpected"]


def test_a_missing_file_among_many_keeps_a_checkpoint_from_being_committed(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path, keep=2)
    partial = store.begin(3, 1)
    (partial / "shards-000").mkdir()
    records = [write(partial, f"shards-000/{number:04}", b"x") for number in range(129)]
    (partial / "shards-000" / "0001").unlink()  # of 129 files every third is opened
    with pytest.raises(StorageError, match="shards-000/0001 is missing"):
        commit(store, 3, records)
    assert "step-00000003" not in names(tmp_path)


def test_a_checkpoint_of_another_version_is_refused_in_a_sentence_and_left_where_it_is(
    tmp_path: Path,
) -> None:
    store = CheckpointStore(tmp_path, keep=2)
    manifest = save(store, 3) / "manifest.json"
    body = json.loads(manifest.read_text()) | {"format": 1}
    del body["sha256"]
    from ftdist.checkpoint.manifest import _own_hash

    manifest.write_text(json.dumps(body | {"sha256": _own_hash(body)}))
    with pytest.raises(StorageError, match="another version of ftdist: its manifest has format 1"):
        store.latest_verified(never)
    assert names(tmp_path) == ["step-00000003"]
