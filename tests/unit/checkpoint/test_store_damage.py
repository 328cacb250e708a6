"""A damaged checkpoint is named and set aside, and the one before it is used."""

import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ftdist.checkpoint.manifest import DamagedCheckpointError, verify_folder
from ftdist.checkpoint.store import CheckpointStore
from ftdist.errors import StorageError, TransientStorageError
from ftdist.io import retry
from tests.support.models.fake_checkpoints import in_child, names, never, save


@pytest.fixture
def store(tmp_path: Path) -> CheckpointStore:
    return CheckpointStore(tmp_path / "checkpoints", keep=2)


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
    add: "rank-2.bin is unexpected",
    cut: "rank-1.bin has 39 bytes instead of 40",
    flip_bit: "the content of rank-1.bin has changed",
    lose_manifest: "manifest.json is missing",
    tear_manifest: "manifest.json is not JSON",
    change_manifest: "manifest.json was changed",
}


@pytest.mark.fault("C2", "C3", "C4")
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damaged_checkpoint_is_set_aside_and_the_previous_one_used(
    store: CheckpointStore, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    save(store, 10)
    damage(save(store, 12))
    with pytest.raises(DamagedCheckpointError, match=DAMAGES[damage]):
        verify_folder(tmp_path / "checkpoints" / "step-00000012")

    output: list[tuple[Path, str]] = []
    found = store.latest_verified(lambda path, reason: output.append((path, reason)))

    assert found is not None
    assert found.step == 10
    [(path, reason)] = output
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


@pytest.mark.fault("C5")
def test_all_checkpoints_damaged_is_an_error_and_never_restarts_from_step_0(
    store: CheckpointStore,
) -> None:
    flip_bit(save(store, 10))
    output: list[str] = []
    for _ in range(2):
        with pytest.raises(StorageError, match=r"damaged: step-00000010\.damaged"):
            store.latest_verified(lambda _, reason: output.append(reason))
    [reason] = output
    assert reason.endswith("No older checkpoint is left: 10 steps are lost.")


def test_a_checkpoint_copied_under_another_number_is_damaged(
    store: CheckpointStore, tmp_path: Path
) -> None:
    save(store, 10)
    save(store, 12).rename(tmp_path / "checkpoints" / "step-00000014")
    output: list[str] = []
    found = store.latest_verified(lambda _, reason: output.append(reason))
    assert found is not None
    assert found.step == 10
    assert "its manifest is of step 12" in output[0]


@pytest.mark.fault("C10")
def test_a_temporarily_unreadable_checkpoint_is_not_set_aside(
    store: CheckpointStore,
) -> None:
    """A network file system's ESTALE passes; a whole checkpoint must not be lost to it."""
    path = save(store, 10)

    def read_while_stale() -> None:
        retry.DEADLINE_S = 0.3

        def hook(event: str, arguments: tuple[Any, ...]) -> None:
            if event == "open" and str(arguments[0]).endswith("rank-1.bin"):
                raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), str(arguments[0]))

        sys.addaudithook(hook)
        try:
            store.latest_verified(never)
        except DamagedCheckpointError:
            os._exit(1)
        except TransientStorageError as error:
            os._exit(42 if "rank-1.bin: Stale file handle" in error.problem else 2)

    assert in_child(read_while_stale) == 42
    assert store.is_committed(10)
    verify_folder(path)
