"""Room for a checkpoint: bytes and inodes of a real disk."""

from pathlib import Path

import pytest

from ftdist.checkpoint.room import make_room, planned_room, require_room
from ftdist.checkpoint.store import CheckpointStore
from ftdist.errors import StorageError
from ftdist.io.room import Room
from tests.support.models.fake_checkpoints import save
from tests.support.small_disk import small_disk


@pytest.mark.fault("C7")
def test_a_disk_too_small_is_refused_with_both_sizes(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "bytes", size="4m") as disk:
        require_room(disk.path, Room(gib=3.5 / 1024, files=1))
        with pytest.raises(StorageError) as caught:
            require_room(disk.path, Room(gib=1.0, files=1))
    assert caught.value.problem == (
        f"A checkpoint needs 1.0 GiB, but the disk of {disk.path} has 4.0 MiB free."
    )
    assert caught.value.remedy.startswith("delete files of 1020.0 MiB, or set run.root")


@pytest.mark.fault("C7", "C11")
def test_keeping_fewer_is_advised_only_where_more_than_the_least_two_are_there(
    tmp_path: Path,
) -> None:
    store = CheckpointStore(tmp_path, keep=3)
    remedies = []
    for step in (1, 2, 3):
        save(store, step)
        with pytest.raises(StorageError) as caught:
            require_room(tmp_path, Room(gib=1e9, files=1))
        remedies.append(", set checkpoint.keep_latest=2, or set run.root" in caught.value.remedy)
    assert remedies == [False, False, True]


@pytest.mark.fault("C7")
def test_too_few_inodes_are_refused_though_there_is_space(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "inodes") as disk:
        # Of 400 inodes the root has one; 390 ranks need 390 files, a folder of shards, 6 others.
        require_room(disk.path, planned_room(0.001, world_size=390))
        with pytest.raises(StorageError, match=r"needs 1\.0 MiB and 407 inodes, .* and 399 inodes"):
            require_room(disk.path, planned_room(0.001, world_size=400))


@pytest.mark.fault("C7")
def test_a_save_without_room_deletes_early_what_it_makes_superfluous_but_two_stay(
    tmp_path: Path,
) -> None:
    store = CheckpointStore(tmp_path / "checkpoints", keep=3)
    for step in (1, 2, 3):
        save(store, step)
    too_much = Room(gib=1e9, files=1)
    for _ in range(2):
        with pytest.raises(StorageError):
            make_room(store, tmp_path / "checkpoints", too_much)
        assert [info.step for info in store.committed()] == [3, 2]
    assert not list((tmp_path / "checkpoints").glob(".trash*"))
