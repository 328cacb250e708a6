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
