"""Contract 6, the storage half: a reader finds a whole committed checkpoint, whatever happened."""

import errno
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from ftdist.checkpoint.manifest import verify_folder
from ftdist.checkpoint.store import CheckpointStore
from ftdist.errors import StorageError
from ftdist.io import retry
from tests.support.models.fake_checkpoints import commit, names, never, save, write


@pytest.fixture
def store(tmp_path: Path) -> CheckpointStore:
    return CheckpointStore(tmp_path / "checkpoints", keep=2)


def test_empty_or_absent_folder_has_no_checkpoint(store: CheckpointStore) -> None:
    assert store.committed() == []
    assert store.latest_verified(never) is None


def test_commit_leaves_only_the_checkpoint_and_its_manifest(
    store: CheckpointStore, tmp_path: Path
) -> None:
    path = save(store, 1200)
    found = store.latest_verified(never)
    assert found is not None
    assert (found.step, found.path) == (1200, path)
    assert names(tmp_path / "checkpoints") == ["step-00001200"]
    assert names(path) == ["manifest.json", "rank-0.bin", "rank-1.bin"]
    manifest = verify_folder(path)
    assert (manifest.step, manifest.attempt) == (1200, 1)
    assert manifest.metadata == {"step": 1200, "sound": True, "rollbacks": 0}
    # sha256sum of "step 1200 rank 0 " and 23 dots
    assert manifest.files[0].size == 40
    assert manifest.files[0].sha256 == (
        "7ab5223735eaa2214d53a294fd074360fcf51f4bea1e85cd067c16734ec0f2e9"
    )


def test_the_best_checkpoint_is_retained_until_a_better_one_replaces_it(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path, keep=1)
    assert store.best() is None
    save(store, 1)
    store.keep_best(1)
    for step in (2, 3, 4):
        save(store, step)
    assert [info.step for info in store.committed()] == [4, 3, 1]
    found = store.best_verified(never)
    assert found is not None
    assert found.step == 1
    store.keep_best(4)
    assert [info.step for info in store.committed()] == [4, 3]
    store.keep_last_only()
    assert [info.step for info in store.committed()] == [4]


def test_a_damaged_best_checkpoint_is_set_aside_and_the_newest_retained(
    tmp_path: Path,
) -> None:
    store = CheckpointStore(tmp_path, keep=1)
    path = save(store, 1)
    store.keep_best(1)
    save(store, 2)
    (path / "rank-0.bin").write_bytes(b"other")
    output: list[str] = []
    assert store.best_verified(lambda _, why: output.append(why)) is None
    assert "the best" in output[0]
    assert store.best() is None
    assert names(tmp_path) == [
        "best.json", "step-00000001.damaged", "step-00000001.damaged.txt", "step-00000002",
    ]  # fmt: skip


def test_an_unreadable_best_checkpoint_is_not_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = CheckpointStore(tmp_path, keep=1)
    for step in (1, 2):
        save(store, step)
        if step == 1:
            store.keep_best(1)
    read = Path.read_text

    def stale(path: Path, *arguments: Any, **more: Any) -> str:
        if path.name == "best.json":
            raise OSError(errno.ESTALE, "Stale file handle")
        return read(path, *arguments, **more)

    monkeypatch.setattr(Path, "read_text", stale)
    with pytest.raises(StorageError):
        store.best()
    save(store, 3)
    monkeypatch.undo()
    (tmp_path / "best.json").write_text("{")
    with pytest.raises(StorageError, match="does not name a checkpoint"):
        store.best()
    save(store, 4)
    (tmp_path / "best.json").write_text('{"step": 1}')
    assert [info.step for info in store.committed()] == [4, 3, 2, 1]


@pytest.mark.parametrize("text", ['{"step": 7}', '{"step": "1"}'])
def test_a_best_file_naming_no_checkpoint_is_ignored(tmp_path: Path, text: str) -> None:
    store = CheckpointStore(tmp_path, keep=1)
    save(store, 1)
    (tmp_path / "best.json").write_text(text)
    assert store.best() is None


def test_uncommitted_checkpoints_are_never_listed(store: CheckpointStore) -> None:
    save(store, 1)
    partial = store.begin(2, 1)
    (partial / "rank-0.bin").write_bytes(b"half")
    assert [info.step for info in store.committed()] == [1]


@pytest.mark.fault("C5")
def test_newest_is_by_number_not_by_name_or_time(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path, keep=9)
    for step in (100_000_000, 99_999_999, 7):
        save(store, step)
    assert [info.step for info in store.committed()] == [100_000_000, 99_999_999, 7]


def test_only_the_last_k_checkpoints_remain(store: CheckpointStore, tmp_path: Path) -> None:
    for step in (1, 2, 3, 4):
        save(store, step)
    assert names(tmp_path / "checkpoints") == ["step-00000003", "step-00000004"]


def test_retention_never_deletes_the_checkpoint_just_committed(store: CheckpointStore) -> None:
    for step in (8, 9, 3):
        save(store, step)
    assert [info.step for info in store.committed()] == [9, 8, 3]


def test_a_commit_missing_a_rank_file_names_it_and_is_not_listed(store: CheckpointStore) -> None:
    partial = store.begin(5, 1)
    records = [write(partial, name, b"0123") for name in ("rank-0.bin", "rank-1.bin")]
    (partial / "rank-0.bin").write_bytes(b"012")
    (partial / "rank-1.bin").unlink()
    (partial / "stray.bin").write_bytes(b"")
    with pytest.raises(StorageError) as caught:
        commit(store, 5, records)
    assert caught.value.problem == (
        "step-00000005.partial-1 cannot be committed: rank-0.bin has 3 bytes instead of 4; "
        "rank-1.bin is missing; stray.bin is unexpected."
    )
    assert store.committed() == []
    store.discard(5, 1)
    store.discard(5, 1)
    assert not partial.exists()


def test_a_retried_save_starts_from_an_empty_folder(store: CheckpointStore) -> None:
    (store.begin(5, 1) / "old.bin").write_bytes(b"rest of a failed try")
    assert list(store.begin(5, 1).iterdir()) == []


def test_only_leftovers_of_earlier_attempts_are_removed(
    store: CheckpointStore, tmp_path: Path
) -> None:
    save(store, 1)
    for attempt in (1, 2, 3):
        store.begin(2, attempt)
    (tmp_path / "checkpoints" / ".trash-step-00000000-ab").mkdir()
    store.clean_leftovers(3)
    store.clean_leftovers(2)
    assert names(tmp_path / "checkpoints") == [
        "step-00000001",
        "step-00000002.partial-3",
    ]


def test_an_attempt_whose_folder_was_cleared_by_the_next_cannot_commit(
    store: CheckpointStore,
) -> None:
    partial = store.begin(2, 1)
    records = [write(partial, "a.bin", b"0123")]
    store.clean_leftovers(2)
    with pytest.raises(StorageError, match="no other attempt"):
        commit(store, 2, records)


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, r"delete files.* GiB( and [\d,]+ inodes)? free"),
        (errno.EDQUOT, "quota"),
        (errno.EACCES, "may write to"),
        (errno.EROFS, "may write to"),
        (errno.EIO, "check the disk"),
    ],
)
def test_operating_system_errors_say_what_to_do(
    store: CheckpointStore, monkeypatch: pytest.MonkeyPatch, number: int, advice: str
) -> None:
    """A failing rename, the one fault that a unit test cannot cause for real."""
    partial = store.begin(3, 1)

    def fail(self: Path, target: Path) -> None:
        raise OSError(number, os.strerror(number), str(self))

    monkeypatch.setattr(Path, "rename", fail)
    monkeypatch.setattr(retry, "DEADLINE_S", 0.3)  # EIO may pass
    with pytest.raises(StorageError, match=os.strerror(number)) as caught:
        commit(store, 3, [])
    assert re.search(advice, caught.value.remedy)
    assert partial.exists()


def test_data_is_synced_before_the_commit_rename(
    store: CheckpointStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut cannot be had here: the order of syncs and renames is looked at instead."""
    seen: list[str] = []
    sync, rename = os.fsync, Path.rename

    def noted_sync(descriptor: int) -> None:
        seen.append("sync " + Path(f"/proc/self/fd/{descriptor}").readlink().name)
        sync(descriptor)

    def noted_rename(self: Path, target: Path) -> Path:
        seen.append(f"name {target.name}")
        return rename(self, target)

    monkeypatch.setattr(os, "fsync", noted_sync)
    monkeypatch.setattr(Path, "rename", noted_rename)
    save(store, 7, ranks=1)
    assert [event for event in seen if "tmp" not in event] == [
        "sync rank-0.bin",
        "sync step-00000007.partial-1",
        "name manifest.json",
        "sync step-00000007.partial-1",
        "name step-00000007",
        "sync checkpoints",
    ]
    assert seen[2].startswith("sync .manifest.json")


def test_manifest_is_plain_json(store: CheckpointStore) -> None:
    body = json.loads((save(store, 3) / "manifest.json").read_text())
    assert sorted(body) == ["attempt", "files", "format", "metadata", "sha256", "step"]


@pytest.mark.fault("M7")
def test_a_checkpoint_of_training_that_was_not_sound_replaces_none_and_goes_with_the_next(
    store: CheckpointStore,
) -> None:
    for step in (1, 2):
        save(store, step)
    for step in (3, 4, 5):
        save(store, step, sound=False)
    assert [info.step for info in store.committed()] == [5, 4, 3, 2, 1]
    assert store.sound_steps() == [2, 1]
    save(store, 6)
    assert [info.step for info in store.committed()] == [6, 2]
