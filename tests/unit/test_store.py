"""Contract 6, the storage half: a reader finds a whole committed checkpoint, whatever happened."""

import errno
import itertools
import json
import multiprocessing
import os
import random
import re
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ftdist.checkpoint.store import CheckpointStore, DamagedCheckpointError, checkpoint_name
from ftdist.errors import StorageError

RANKS = 2
PROCESSES = multiprocessing.get_context("fork")


def save(
    store: CheckpointStore, step: int, *, attempt: int = 1, size: int = 40, ranks: int = RANKS
) -> Path:
    """Save as two ranks and a lead would; the content is a function of step and rank."""
    partial = store.begin(step, attempt)
    records = []
    for rank in range(ranks):
        path = partial / f"rank-{rank}.bin"
        path.write_bytes(content(step, rank, size=size))
        records += store.describe([path])
    return store.commit(step, attempt, records, {"step": step})


def content(step: int, rank: int, *, size: int) -> bytes:
    return f"step {step} rank {rank} ".encode().ljust(size, b".")


def never(path: Path, reason: str) -> None:
    raise AssertionError(f"{path} called damaged: {reason}")


def names(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir())


@pytest.fixture
def store(tmp_path: Path) -> CheckpointStore:
    return CheckpointStore(tmp_path / "checkpoints", keep=2)


def test_empty_or_absent_folder_has_no_checkpoint(store: CheckpointStore) -> None:
    assert store.committed() == []
    assert store.latest_verified(never) is None


def test_committed_checkpoint_is_found_with_manifest_and_nothing_else_beside(
    store: CheckpointStore, tmp_path: Path
) -> None:
    path = save(store, 1200)
    found = store.latest_verified(never)
    assert found is not None
    assert (found.step, found.path) == (1200, path)
    assert names(tmp_path / "checkpoints") == ["step-00001200"]
    assert names(path) == ["manifest.json", "rank-0.bin", "rank-1.bin"]
    manifest = store.verify(path)
    assert (manifest.step, manifest.attempt, manifest.metadata) == (1200, 1, {"step": 1200})
    # sha256sum of "step 1200 rank 0 " and 23 dots
    assert manifest.files[0].size == 40
    assert manifest.files[0].sha256 == (
        "7ab5223735eaa2214d53a294fd074360fcf51f4bea1e85cd067c16734ec0f2e9"
    )


def test_the_best_stays_beside_the_newest_until_another_one_is_the_best(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path, keep=1)
    assert store.best() is None
    save(store, 1)
    store.keep_best(1)
    for step in (2, 3):
        save(store, step)
    assert [info.step for info in store.committed()] == [3, 1]
    found = store.best_verified(never)
    assert found is not None
    assert found.step == 1
    store.keep_best(3)
    assert [info.step for info in store.committed()] == [3]


def test_a_best_checkpoint_that_is_damaged_is_set_aside_and_the_newest_is_left(
    tmp_path: Path,
) -> None:
    store = CheckpointStore(tmp_path, keep=1)
    path = save(store, 1)
    store.keep_best(1)
    save(store, 2)
    (path / "rank-0.bin").write_bytes(b"other")
    told: list[str] = []
    assert store.best_verified(lambda _, why: told.append(why)) is None
    assert "the best" in told[0]
    assert store.best() is None
    assert names(tmp_path) == [
        "best.json", "step-00000001.damaged", "step-00000001.damaged.txt", "step-00000002",
    ]  # fmt: skip


def test_a_best_one_that_cannot_be_told_just_now_is_not_deleted(
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
def test_a_name_of_no_checkpoint_is_no_best_one(tmp_path: Path, text: str) -> None:
    store = CheckpointStore(tmp_path, keep=1)
    save(store, 1)
    (tmp_path / "best.json").write_text(text)
    assert store.best() is None


def test_what_is_begun_but_not_committed_is_never_seen(store: CheckpointStore) -> None:
    save(store, 1)
    partial = store.begin(2, 1)
    (partial / "rank-0.bin").write_bytes(b"half")
    assert [info.step for info in store.committed()] == [1]


def test_newest_is_by_number_not_by_name_or_time(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path, keep=9)
    for step in (100_000_000, 99_999_999, 7):
        save(store, step)
    assert [info.step for info in store.committed()] == [100_000_000, 99_999_999, 7]


def test_only_the_last_k_stay_and_no_trash(store: CheckpointStore, tmp_path: Path) -> None:
    for step in (1, 2, 3, 4):
        save(store, step)
    assert names(tmp_path / "checkpoints") == ["step-00000003", "step-00000004"]


def test_retention_never_takes_the_one_just_committed(store: CheckpointStore) -> None:
    for step in (8, 9, 3):
        save(store, step)
    assert [info.step for info in store.committed()] == [9, 8, 3]


def test_commit_that_lacks_a_ranks_file_names_it_and_shows_nothing(store: CheckpointStore) -> None:
    partial = store.begin(5, 1)
    (partial / "rank-0.bin").write_bytes(b"0123")
    (partial / "rank-1.bin").write_bytes(b"0123")
    records = store.describe([partial / "rank-0.bin", partial / "rank-1.bin"])
    (partial / "rank-0.bin").write_bytes(b"012")
    (partial / "rank-1.bin").unlink()
    (partial / "stray.bin").write_bytes(b"")
    with pytest.raises(StorageError) as caught:
        store.commit(5, 1, records, {})
    assert caught.value.problem == (
        "step-00000005.partial-1 cannot be committed: rank-0.bin has 3 bytes instead of 4; "
        "rank-1.bin is missing; stray.bin does not belong to it."
    )
    assert store.committed() == []
    store.discard(5, 1)
    store.discard(5, 1)
    assert not partial.exists()


def test_two_ranks_with_one_file_name_are_refused(store: CheckpointStore) -> None:
    partial = store.begin(5, 1)
    (partial / "a.bin").write_bytes(b"0123")
    twice = store.describe([partial / "a.bin", partial / "a.bin"])
    with pytest.raises(StorageError, match="two ranks describe a file of the same name"):
        store.commit(5, 1, twice, {})


def test_a_committed_step_is_not_written_again(store: CheckpointStore) -> None:
    save(store, 5)
    assert store.is_committed(5)
    with pytest.raises(StorageError, match="committed already"):
        store.begin(5, 2)


def test_a_second_try_of_a_save_starts_from_an_empty_folder(store: CheckpointStore) -> None:
    (store.begin(5, 1) / "old.bin").write_bytes(b"rest of a failed try")
    assert list(store.begin(5, 1).iterdir()) == []


def test_leftovers_of_earlier_attempts_go_and_those_of_later_ones_stay(
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
    (partial / "a.bin").write_bytes(b"0123")
    records = store.describe([partial / "a.bin"])
    store.clean_leftovers(2)
    with pytest.raises(StorageError, match="no other attempt"):
        store.commit(2, 1, records, {})


def remove(path: Path) -> None:
    (path / "rank-1.bin").unlink()


def add(path: Path) -> None:
    (path / "rank-2.bin").write_bytes(b"of another world size")


def cut(path: Path) -> None:
    os.truncate(path / "rank-1.bin", 39)


def flip_bit(path: Path) -> None:
    data = bytearray((path / "rank-1.bin").read_bytes())
    data[20] ^= 1
    (path / "rank-1.bin").write_bytes(data)


def lose_manifest(path: Path) -> None:
    (path / "manifest.json").unlink()


def tear_manifest(path: Path) -> None:
    os.truncate(path / "manifest.json", 50)


def change_manifest(path: Path) -> None:
    text = (path / "manifest.json").read_text()
    (path / "manifest.json").write_text(text.replace('"step": 12', '"step": 13', 1))


DAMAGES: dict[Callable[[Path], None], str] = {
    remove: "rank-1.bin is missing",
    add: "rank-2.bin does not belong to it",
    cut: "rank-1.bin has 39 bytes instead of 40",
    flip_bit: "the content of rank-1.bin has changed",
    lose_manifest: "manifest.json is missing",
    tear_manifest: "manifest.json is not JSON",
    change_manifest: "manifest.json is not as it was written",
}


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damaged_checkpoint_is_named_set_aside_and_the_one_before_it_used(
    store: CheckpointStore, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    save(store, 10)
    damage(save(store, 12))
    with pytest.raises(DamagedCheckpointError, match=DAMAGES[damage]):
        store.verify(tmp_path / "checkpoints" / "step-00000012")

    told: list[tuple[Path, str]] = []
    found = store.latest_verified(lambda path, reason: told.append((path, reason)))

    assert found is not None
    assert found.step == 10
    [(path, reason)] = told
    assert path.name == "step-00000012.damaged"
    assert path.is_dir()
    assert DAMAGES[damage] in reason
    assert reason.endswith("step-00000010 is used instead: 2 steps are lost.")
    beside = tmp_path / "checkpoints" / "step-00000012.damaged.txt"
    assert DAMAGES[damage] in beside.read_text()
    assert [info.step for info in store.committed()] == [10]


def test_a_step_damaged_twice_is_set_aside_under_two_names(
    store: CheckpointStore, tmp_path: Path
) -> None:
    save(store, 10)
    for _ in range(2):
        flip_bit(save(store, 11))
        assert store.latest_verified(lambda _path, _reason: None) is not None
    assert [name for name in names(tmp_path / "checkpoints") if not name.endswith("txt")] == [
        "step-00000010",
        "step-00000011.damaged",
        "step-00000011.damaged-2",
    ]


def test_all_damaged_is_an_error_every_time_and_never_a_quiet_step_0(
    store: CheckpointStore,
) -> None:
    flip_bit(save(store, 10))
    told: list[str] = []
    for _ in range(2):
        with pytest.raises(StorageError, match=r"step-00000010\.damaged cannot be used"):
            store.latest_verified(lambda _, reason: told.append(reason))
    [reason] = told
    assert reason.endswith("No older checkpoint is left: 10 steps are lost.")


def test_a_checkpoint_copied_under_another_number_is_damaged(
    store: CheckpointStore, tmp_path: Path
) -> None:
    save(store, 10)
    save(store, 12).rename(tmp_path / "checkpoints" / "step-00000014")
    told: list[str] = []
    found = store.latest_verified(lambda _, reason: told.append(reason))
    assert found is not None
    assert found.step == 10
    assert "its manifest is of step 12" in told[0]


def test_a_checkpoint_that_cannot_be_read_just_now_is_not_set_aside(
    store: CheckpointStore,
) -> None:
    """A network file system's ESTALE passes; a whole checkpoint must not be lost to it."""
    path = save(store, 10)

    def read_while_stale() -> None:
        def hook(event: str, arguments: tuple[Any, ...]) -> None:
            if event == "open" and str(arguments[0]).endswith("rank-1.bin"):
                raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), str(arguments[0]))

        sys.addaudithook(hook)
        try:
            store.latest_verified(never)
        except DamagedCheckpointError:
            os._exit(1)
        except StorageError as error:
            os._exit(42 if "rank-1.bin: Stale file handle" in error.problem else 2)

    assert in_child(read_while_stale) == 42
    assert store.is_committed(10)
    store.verify(path)


def test_too_little_room_is_refused_in_gib(store: CheckpointStore) -> None:
    store.require_space(0.0)
    free = store.free_gib()
    assert free > 0
    with pytest.raises(StorageError, match=r"need 1000000000\.00 GiB, but .* GiB free"):
        store.require_space(1e9)


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, r"make room.* GiB free"),
        (errno.EDQUOT, "quota"),
        (errno.EACCES, "may write to"),
        (errno.EROFS, "may write to"),
        (errno.EIO, "check the disk"),
    ],
)
def test_operating_system_errors_say_what_to_do(
    store: CheckpointStore, monkeypatch: pytest.MonkeyPatch, number: int, advice: str
) -> None:
    """The one place where the real fault cannot be had in a unit test: rename is told to fail."""
    partial = store.begin(3, 1)

    def fail(self: Path, target: Path) -> None:
        raise OSError(number, os.strerror(number), str(self))

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(StorageError, match=os.strerror(number)) as caught:
        store.commit(3, 1, [], {})
    assert re.search(advice, caught.value.remedy)
    assert partial.exists()


def in_child(body: Callable[[], None]) -> int | None:
    child = PROCESSES.Process(target=body)
    child.start()
    child.join(60)
    return child.exitcode


def test_a_file_that_may_not_grow_is_a_storage_error_and_the_one_before_stays(
    store: CheckpointStore,
) -> None:
    save(store, 1)

    def write_too_much() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))
        partial = store.begin(2, 1)
        files = []
        for index in range(5):
            files.append(partial / f"rank-{index}.bin")
            files[-1].write_bytes(b"x" * 100)
        records = store.describe(files)
        try:
            store.commit(2, 1, records, {})  # the manifest of five files is longer than 300 bytes
        except StorageError as error:
            os._exit(42 if "ulimit" in error.remedy else 1)

    assert in_child(write_too_much) == 42
    found = store.latest_verified(never)
    assert found is not None
    assert found.step == 1


def assert_whole(store: CheckpointStore, *, at_least: int, newest_allowed: int, size: int) -> None:
    """What every reader must find after a kill; then that the next attempt goes on from there."""
    found = store.latest_verified(never)
    step = found.step if found else 0
    assert at_least <= step <= newest_allowed
    for info in store.committed():
        store.verify(info.path)
        for rank in range(RANKS):
            whole = content(info.step, rank, size=size)
            assert (info.path / f"rank-{rank}.bin").read_bytes() == whole
    assert len(store.committed()) >= min(2, step)


def test_killed_at_every_single_file_operation_leaves_a_whole_checkpoint(tmp_path: Path) -> None:
    """A real process kills itself before its k-th file operation, for every k there is."""
    size, steps = 64, 3
    for k in itertools.count(1):
        store = CheckpointStore(tmp_path / str(k), keep=2)
        report = tmp_path / f"{k}.txt"
        log = os.open(report, os.O_WRONLY | os.O_CREAT)

        def write(store: CheckpointStore = store, log: int = log, k: int = k) -> None:
            count = itertools.count(1)

            def hook(event: str, arguments: tuple[Any, ...]) -> None:
                if event in {"open", "os.rename", "os.mkdir", "os.remove", "os.rmdir"} and (
                    next(count) == k
                ):
                    os.kill(os.getpid(), signal.SIGKILL)

            # A kill loses nothing that was written, synced or not: be quick.
            pytest.MonkeyPatch().setattr(os, "fsync", lambda _: None)
            sys.addaudithook(hook)
            for step in range(1, steps + 1):
                save(store, step, size=size)
                os.write(log, b"x")
            os._exit(0)

        exit_code = in_child(write)
        os.close(log)
        done = report.stat().st_size
        assert_whole(store, at_least=done, newest_allowed=min(done + 1, steps), size=size)
        store.clean_leftovers(2)
        assert all(name.startswith("step-") and len(name) == 13 for name in names_or_none(store))
        if exit_code == 0:
            break
        assert exit_code == -signal.SIGKILL
    assert k > 40, f"only {k} places to be killed at: the hook does not see the operations"


def names_or_none(store: CheckpointStore) -> list[str]:
    root = store._root
    return names(root) if root.exists() else []


def test_killed_at_random_instants_leaves_a_whole_checkpoint(tmp_path: Path) -> None:
    """One store, forty attempts, each killed in its saves; the next goes on from there."""
    size = 300_000
    store = CheckpointStore(tmp_path, keep=2)
    draw = random.Random(0)
    newest = 0
    for attempt in range(1, 26):
        store.clean_leftovers(attempt)

        def write(first: int = newest + 1, attempt: int = attempt) -> None:
            for step in itertools.count(first):
                save(store, step, attempt=attempt, size=size)

        child = PROCESSES.Process(target=write)
        child.start()
        # Not before the second save, so that every attempt makes progress on a slow disk too.
        second = tmp_path / f"{checkpoint_name(newest + 2)}.partial-{attempt}"
        deadline = time.monotonic() + 30
        while not (second.exists() or store.is_committed(newest + 2)):
            assert time.monotonic() < deadline
            time.sleep(0.0005)
        time.sleep(draw.uniform(0.0, 0.03))
        assert child.pid is not None
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        assert child.exitcode == -signal.SIGKILL
        assert_whole(store, at_least=newest + 1, newest_allowed=sys.maxsize, size=size)
        newest = store.committed()[0].step
    store.clean_leftovers(26)
    save(store, newest + 1, attempt=26, size=size)
    assert len(names(tmp_path)) == 2


def test_everything_is_on_disk_before_the_name_that_promises_it(
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
