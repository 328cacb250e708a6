import hashlib
import os
import socket
import stat
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
    left = _left_behind(tmp_path, "w")
    with atomic_dir(tmp_path / "w", resume=True) as first:
        assert first == left
        with atomic_dir(tmp_path / "w", resume=True) as second:
            assert not list(second.iterdir())
            (second / "b").write_text("b")
    assert [path.name for path in (tmp_path / "w").iterdir()] == ["b"]  # it was first to end


def test_folders_to_resume_are_kept_for_a_week(tmp_path: Path) -> None:
    young, old = _left_behind(tmp_path, "w"), _left_behind(tmp_path, "v")
    for folder, days in ((young, 6), (old, 8)):
        os.utime(folder, (time.time() - days * 86_400,) * 2)
    remove_stale_dirs(tmp_path, resumable=True)
    assert sorted(tmp_path.iterdir()) == [young]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt, MemoryError])
def test_a_writer_that_fails_is_resumed(tmp_path: Path, error: type[BaseException]) -> None:
    def fail(folder: Path) -> None:
        (folder / "a").write_text("a")
        raise error

    with pytest.raises(error), atomic_dir(tmp_path / "w", resume=True) as tmp:
        fail(tmp)
    with atomic_dir(tmp_path / "w", resume=True) as again:
        assert again == tmp
    assert (tmp_path / "w" / "a").read_text() == "a"
    assert sorted(tmp_path.iterdir()) == [tmp_path / "w"]


def test_a_folder_of_another_user_is_not_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = _left_behind(tmp_path, "w")
    monkeypatch.setattr(os, "geteuid", lambda: left.stat().st_uid + 1)
    with temporary_dir(tmp_path / "w", resume=True) as tmp:
        assert tmp != left


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o707])
def test_a_folder_that_others_may_enter_is_not_resumed(tmp_path: Path, mode: int) -> None:
    left = _left_behind(tmp_path, "w")
    left.chmod(mode)
    with temporary_dir(tmp_path / "w", resume=True) as tmp:
        assert tmp != left


def test_a_link_to_a_folder_is_not_resumed(tmp_path: Path) -> None:
    left = _left_behind(tmp_path, "w")
    left.rename(tmp_path / "home")
    left.symlink_to(tmp_path / "home")
    with temporary_dir(tmp_path / "w", resume=True) as tmp:
        assert tmp != left


def test_an_unreadable_folder_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = sorted(_left_behind(tmp_path, name) for name in "vw")
    os_open = os.open

    def refuse(path: Path, flags: int, *args: int, **kwargs: int) -> int:
        if path == first:
            raise PermissionError(path)
        return os_open(path, flags, *args, **kwargs)

    monkeypatch.setattr(os, "open", refuse)
    with temporary_dir(tmp_path / "v", resume=True) as tmp:
        assert tmp != first
        remove_stale_dirs(tmp_path)
        assert sorted(tmp_path.iterdir()) == sorted([first, tmp])
        assert not second.exists()


@pytest.mark.parametrize(("private", "mode"), [(True, 0o700), (False, 0o750)])
def test_a_folder_to_resume_is_closed_to_others_until_it_is_whole(
    tmp_path: Path, *, private: bool, mode: int
) -> None:
    before = os.umask(0o027)
    try:
        with atomic_dir(tmp_path / "w", private=private, resume=True) as tmp:
            assert stat.S_IMODE(tmp.stat().st_mode) == 0o700
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "w").stat().st_mode) == mode
    assert not list((tmp_path / "w").iterdir())


def _left_behind(parent: Path, name: str) -> Path:
    """A folder as a killed writer on this host leaves it."""
    here = hashlib.blake2b(socket.gethostname().encode(), digest_size=4).hexdigest()
    folder = parent / f".{name}.{here}{'0' * 24}.tmp"
    folder.mkdir(mode=0o700)
    (folder / "a").write_text("a")
    return folder
