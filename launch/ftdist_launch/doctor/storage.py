"""Measure a file system: what it is, whether renames and locks work, space, speed."""

import fcntl
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psutil

from ftdist_launch.doctor.commands import Runner

BLOCK = 8 * 2**20
SPEED_MIB, SPEED_S = 128, 2.0
"""Written at most for one measurement of speed."""

SMALL_FILES = 50
RENAMES = 100

_TRY_LOCK = """
import fcntl, sys
file = open(sys.argv[1], "r+")
lock = fcntl.flock if sys.argv[2] == "flock" else fcntl.lockf
try:
    lock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    sys.exit(3)
"""
"""Exits with 3 if another process holds the lock."""


@dataclass(frozen=True, kw_only=True)
class Storage:
    """What was measured in one folder."""

    path: str
    kind: str
    """Type of the file system, such as nfs4, lustre, ext4."""

    free_gib: float
    total_gib: float
    free_inodes: int | None
    """None: without limit."""

    missed_renames: int | None
    """How often a reader saw no file while it was replaced; None: renaming failed."""

    locks: tuple[str, ...]
    """Kinds of locks that do not work: flock, fcntl."""

    write_mib_s: float
    read_mib_s: float
    small_files_s: float
    """Files made per second."""


@dataclass(frozen=True, kw_only=True)
class Quota:
    """A user's quota on one file system."""

    filesystem: str
    used_gib: float
    limit_gib: float | None
    files: int
    max_files: int | None


def measure(folder: Path) -> Storage:
    """Measure the file system of a folder in about two seconds, in a subfolder that is deleted.

    Raises:
        OSError: the folder cannot be written.
    """
    stats = os.statvfs(folder)
    with scratch(folder) as tmp:
        write, read = speeds(tmp / "speed")
        return Storage(
            path=str(folder),
            kind=kind_of(folder),
            free_gib=stats.f_bavail * stats.f_frsize / 2**30,
            total_gib=stats.f_blocks * stats.f_frsize / 2**30,
            free_inodes=stats.f_favail if stats.f_files else None,
            missed_renames=missed_renames(tmp),
            locks=tuple(kind for kind in ("flock", "fcntl") if not lock_works(tmp, kind)),
            write_mib_s=write,
            read_mib_s=read,
            small_files_s=small_file_rate(tmp),
        )


@contextmanager
def scratch(folder: Path) -> Iterator[Path]:
    """A hidden folder for measurements, deleted afterwards."""
    tmp = folder / f".ftdist-doctor-{uuid4().hex[:12]}"
    tmp.mkdir(mode=0o700)
    try:
        yield tmp
    finally:
        for path in tmp.iterdir():
            with suppress(OSError):
                path.unlink()
        with suppress(OSError):
            tmp.rmdir()


def kind_of(folder: Path) -> str:
    """The type of the file system of a folder."""
    path = folder.resolve()
    mounts = [m for m in psutil.disk_partitions(all=True) if path.is_relative_to(m.mountpoint)]
    return str(max(mounts, key=lambda m: len(m.mountpoint)).fstype) if mounts else "unknown"


def speeds(path: Path) -> tuple[float, float]:
    """MiB per second of writing a file to disk, and of reading it back, past the page cache."""
    block = os.urandom(BLOCK)
    begin, blocks = time.perf_counter(), 0
    with path.open("wb", buffering=0) as file:
        while blocks * BLOCK < SPEED_MIB * 2**20 and time.perf_counter() - begin < SPEED_S:
            file.write(block)
            os.fdatasync(file.fileno())
            blocks += 1
        write_s = time.perf_counter() - begin
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    begin = time.perf_counter()
    with path.open("rb", buffering=0) as file:
        while file.read(BLOCK):
            if time.perf_counter() - begin > SPEED_S:
                break
        read_mib = file.tell() / 2**20
    read_s = time.perf_counter() - begin
    path.unlink()
    return blocks * BLOCK / 2**20 / write_s, read_mib / max(read_s, 1e-6)


def missed_renames(folder: Path) -> int | None:
    """How often a reader finds no file, or an empty one, while it is replaced by renaming."""
    target, missed, stop = folder / "target", 0, threading.Event()
    target.write_text("0")

    def read() -> None:
        nonlocal missed
        while not stop.is_set():
            try:
                missed += not target.read_text()
            except OSError:
                missed += 1

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        for number in range(RENAMES):
            (folder / "new").write_text(str(number))
            (folder / "new").rename(target)
    except OSError:
        return None
    finally:
        stop.set()
        reader.join(10)
    return missed


def lock_works(folder: Path, kind: str) -> bool:
    """Whether a lock that this process holds keeps another process out."""
    path = folder / f"{kind}.lock"
    path.touch()
    lock = fcntl.flock if kind == "flock" else fcntl.lockf
    with path.open("r+") as file:
        try:
            lock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _TRY_LOCK, str(path), kind],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=30,
            check=False,
        )
    return done.returncode == 3


def small_file_rate(folder: Path) -> float:
    """Small files made per second: what imports and checkpoints of many ranks depend on."""
    begin = time.perf_counter()
    for number in range(SMALL_FILES):
        (folder / f"small-{number}").write_bytes(b"x" * 100)
    return SMALL_FILES / (time.perf_counter() - begin)


def read_quotas(run: Runner, *, folder: Path, user: str) -> list[Quota]:
    """The user's quotas, where `lfs quota` (on Lustre) or `quota` shows them."""
    if kind_of(folder) == "lustre":
        return parse_quotas(run(("lfs", "quota", "-u", user, str(folder))).out)
    return parse_quotas(run(("quota", "-w")).out)


def parse_quotas(text: str) -> list[Quota]:
    """Lines of eight or nine columns: file system, KiB, quota, limit, grace, files, ..."""
    quotas = []
    lines = _joined(text.splitlines())
    for cells in lines:
        sizes = [cell.rstrip("*") for cell in cells[1:]]
        # `quota` leaves the grace column out where it is empty.
        numbers = [int(size) for size in sizes if size.isdigit()]
        if len(cells) < 7 or len(numbers) < 6 or not sizes[0].isdigit():
            continue
        blocks, soft, hard, files, soft_files, hard_files = _without_grace(numbers)
        quotas.append(
            Quota(
                filesystem=cells[0],
                used_gib=blocks / 2**20,
                limit_gib=(hard or soft) / 2**20 if hard or soft else None,
                files=files,
                max_files=hard_files or soft_files or None,
            )
        )
    return quotas


def _without_grace(numbers: Sequence[int]) -> tuple[int, int, int, int, int, int]:
    """Six of the numbers: `quota -w` writes grace as 0 or not at all."""
    if len(numbers) >= 8:
        numbers = [*numbers[:3], *numbers[4:7]]
    first, second, third, fourth, fifth, sixth = numbers[:6]
    return first, second, third, fourth, fifth, sixth


def _joined(lines: Sequence[str]) -> list[list[str]]:
    """The cells of each line; a long name of a file system stands on a line of its own."""
    rows: list[list[str]] = []
    for line in lines:
        cells = line.split()
        if rows and len(rows[-1]) == 1 and rows[-1][0].startswith("/"):
            rows[-1] += cells
        elif cells:
            rows.append(cells)
    return rows
