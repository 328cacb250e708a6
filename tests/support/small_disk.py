"""A small disk of its own, a real tmpfs, that a test can fill and empty; and a quota."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Literal

import pytest

Kind = Literal["bytes", "inodes", "quota"]

SIZE = "64m"
INODES = 400
CHUNK = bytes(1 << 20)


@dataclass(frozen=True)
class SmallDisk:
    """A mounted disk of `SIZE` bytes, or of `INODES` files."""

    path: Path
    kind: Kind

    @property
    def _filler(self) -> Path:
        return self.path / ".filler"

    def fill(self) -> None:
        """Take every byte or every inode that is left, or use the quota up."""
        self._filler.mkdir()
        if self.kind == "quota":
            return
        with suppress(OSError):
            if self.kind == "inodes":
                for number in count():
                    (self._filler / str(number)).touch()
            with (self._filler / "bytes").open("wb", buffering=0) as file:
                for size in (len(CHUNK), 4096):
                    with suppress(OSError):
                        while file.write(CHUNK[:size]) == size:
                            pass

    def empty(self) -> None:
        """Give all of it back."""
        shutil.rmtree(self._filler)

    def environment(self, folder: Path) -> dict[str, str]:
        """Environment variables under which processes have the quota.

        Args:
            folder: to compile the library in that refuses their writes.
        """
        if self.kind != "quota":
            return {}
        compiler = shutil.which("gcc")
        if compiler is None:
            pytest.skip("no C compiler for the library that stands for a quota")
        library = folder / "quota.so"
        source = Path(__file__).with_name("quota.c")
        subprocess.run(
            [compiler, "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True
        )
        return {"LD_PRELOAD": str(library), "QUOTA_ROOT": str(self.path)}


@contextmanager
def small_disk(path: Path, kind: Kind, *, size: str = SIZE) -> Iterator[SmallDisk]:
    """Mount a disk at a folder; a machine that refuses that skips the test."""
    path.mkdir(exist_ok=True)
    limit = f"nr_inodes={INODES}" if kind == "inodes" else f"size={size}"
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", limit, "none", path],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"this machine mounts no tmpfs for a test: {mounted.stderr.strip()}")
    try:
        yield SmallDisk(path, kind)
    finally:
        subprocess.run(["umount", "--lazy", path], check=True)
