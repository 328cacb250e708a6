import hashlib
import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ftdist.io.atomic_dir import atomic_dir, remove_stale_dirs, temporary_dir


def test_concurrent_writers_leave_one_complete_folder(tmp_path: Path) -> None:
    folder = tmp_path / "folder"

    def write(number: int) -> None:
        with atomic_dir(folder, replace=True) as tmp:
            for name in ("a", "b"):
                (tmp / name).write_text(str(number))

    with ThreadPoolExecutor(max_workers=8) as pool:
        list(pool.map(write, range(200)))
    assert (folder / "a").read_text() == (folder / "b").read_text()
    assert sorted(tmp_path.iterdir()) == [folder]


def test_without_replace_the_first_writer_wins(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    for number in (1, 2):
        with atomic_dir(folder) as tmp:
            (tmp / "a").write_text(str(number))
    assert (folder / "a").read_text() == "1"
    assert sorted(tmp_path.iterdir()) == [folder]


def test_only_folders_of_dead_writers_are_removed(tmp_path: Path) -> None:
    here = hashlib.blake2b(socket.gethostname().encode(), digest_size=4).hexdigest()
    stale = tmp_path / f".w.{here}{'0' * 24}.tmp"
    replaced = tmp_path / f".v.{'0' * 32}.old"  # killed between two renames
    for folder in (stale, replaced):
        folder.mkdir()
        (folder / "a").write_text("a")
    with temporary_dir(tmp_path / "w") as tmp:
        remove_stale_dirs(tmp_path)
        assert sorted(tmp_path.iterdir()) == sorted([tmp, tmp_path / "v"])
    assert (tmp_path / "v" / "a").read_text() == "a"


def test_folders_of_other_hosts_are_kept_for_a_week(tmp_path: Path) -> None:
    # Shared file systems often do not show its lock here.
    young, old = (tmp_path / f".w.{'0' * 8}{digit * 24}.tmp" for digit in "12")
    for folder, days in ((young, 6), (old, 8)):
        folder.mkdir()
        os.utime(folder, (time.time() - days * 86_400,) * 2)
    remove_stale_dirs(tmp_path)
    assert sorted(tmp_path.iterdir()) == [young]


def test_an_error_in_the_body_publishes_nothing(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(ZeroDivisionError), atomic_dir(tmp_path / "folder", replace=True) as tmp:
        (tmp / "a").write_text(str(1 / 0))
    assert sorted(tmp_path.rglob("*")) == [tmp_path / "folder"]


def test_a_folder_that_a_killed_writer_left_is_resumed_once(tmp_path: Path) -> None:
    here = hashlib.blake2b(socket.gethostname().encode(), digest_size=4).hexdigest()
    left = tmp_path / f".w.{here}{'0' * 24}.tmp"
    other = tmp_path / f".v.{here}{'0' * 24}.tmp"
    elsewhere = tmp_path / f".w.{'0' * 32}.tmp"  # its writer may live
    for folder in (left, other, elsewhere):
        folder.mkdir()
        (folder / "a").write_text("a")
    remove_stale_dirs(tmp_path, keep="w")
    assert sorted(tmp_path.iterdir()) == sorted([left, elsewhere])
    with atomic_dir(tmp_path / "w", resume=True) as first:
        assert first == left
        with atomic_dir(tmp_path / "w", resume=True) as second:
            assert not list(second.iterdir())
            (second / "b").write_text("b")
    assert [path.name for path in (tmp_path / "w").iterdir()] == ["b"]  # it was first to end
