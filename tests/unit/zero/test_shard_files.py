"""A rank's file is plain safetensors, whether written from the engine or from a copy."""

from collections import Counter
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from ftdist.zero import host_copy
from ftdist.zero.host_copy import HostCopy
from ftdist.zero.shard_files import Shard, file_header, shard_folders, shard_name
from ftdist.zero.training_state import host_chunks

SHARDS = [
    Shard(key="master.a", values=torch.arange(7.0)),
    Shard(key="master.padding-only", values=torch.zeros(0)),
    Shard(key="exp_avg.a", values=torch.arange(7.0) * 2),
    Shard(key="master.frozen", values=torch.ones(3, dtype=torch.bfloat16)),
]


def assert_loads(path: Path) -> None:
    loaded = load_file(path)
    assert sorted(loaded) == sorted(shard.key for shard in SHARDS)
    for shard in SHARDS:
        assert loaded[shard.key].dtype == shard.values.dtype
        assert torch.equal(loaded[shard.key], shard.values)


def test_header_and_shards_are_a_safetensors_file(tmp_path: Path) -> None:
    path = tmp_path / "direct.safetensors"
    path.write_bytes(b"".join([file_header(SHARDS), *map(bytes, host_chunks(SHARDS))]))
    assert_loads(path)


def test_a_copy_in_several_blocks_is_complete_and_unaffected_by_later_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # 7 x 4 + 7 x 4 + 3 x 2 = 62 bytes in blocks of 24: shards lie across two of them
    monkeypatch.setattr(host_copy, "BLOCK_BYTES", 24)
    copy = HostCopy(62, pinned=False)
    changing = [Shard(key=shard.key, values=shard.values.clone()) for shard in SHARDS]
    copy.fill(changing)
    for shard in changing:
        shard.values.fill_(9)
    assert [len(chunk) for chunk in copy.chunks()] == [24, 24, 14]
    path = tmp_path / "copied.safetensors"
    path.write_bytes(b"".join([file_header(SHARDS), *map(bytes, copy.chunks())]))
    assert_loads(path)


def test_no_folder_of_32768_ranks_has_more_than_a_thousand_entries() -> None:
    ranks = 32_768
    names = [shard_name(rank=rank, world_size=ranks) for rank in range(ranks)]
    folders = Counter(name.partition("/")[0] for name in names)
    assert len(set(names)) == ranks
    assert sorted(folders) == shard_folders(ranks)
    assert max(folders.values()) <= 1000
    assert len(folders) <= 1000
    assert shard_folders(1) == ["shards-000"]
