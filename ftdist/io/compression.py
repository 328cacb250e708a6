"""Open data files that may be compressed with gzip or Zstandard, recognised by their content."""

import gzip
import io
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import cast

from ftdist.io.safe_open import open_regular

GZIP = b"\x1f\x8b"
ZSTANDARD = b"\x28\xb5\x2f\xfd"
SUFFIXES = (".gz", ".zst")

DAMAGED = (EOFError, zlib.error, gzip.BadGzipFile)
"""What reading a damaged compressed file raises, or one that holds too much."""

MAX_RATIO = 200
_FREE_BYTES = 128 * 2**20
"""Of more bytes than these a compressed file may hold `MAX_RATIO` times its own size."""

_COPIED_BYTES = 1 << 24


def is_compressed(path: Path) -> bool:
    """Whether a file is compressed, by its first bytes."""
    with open_regular(path) as file:
        return file.read(4).startswith((GZIP, ZSTANDARD))


def open_data(path: Path) -> io.BufferedIOBase:
    """A file's content as a stream of bytes, decompressed if it is compressed.

    Reading a compressed file that is damaged, or made to fill the disk or the memory, raises one of
    `DAMAGED`.

    Raises:
        OSError: it cannot be opened, or is a pipe, socket or device.
    """
    with open_regular(path) as file:
        head = file.read(4)
    if head.startswith(GZIP):
        return _Bounded(gzip.GzipFile(path), path).buffered()
    if head.startswith(ZSTANDARD):
        return _Bounded(_Zstandard(path), path).buffered()
    return cast(io.BufferedIOBase, open_regular(path))


def data_suffix(path: PurePath) -> str:
    """The suffix of a file's content in lower case: `.jsonl` of `rows.jsonl.gz`."""
    suffix = path.suffix.lower()
    return PurePath(path.stem).suffix.lower() if suffix in SUFFIXES else suffix


@contextmanager
def decompressed_file(path: Path) -> Iterator[Path]:
    """A file itself, or a temporary copy without its compression; for formats that need seeking.

    Raises:
        EOFError, zlib.error, gzip.BadGzipFile: it is damaged.
    """
    if not is_compressed(path):
        yield path
        return
    with tempfile.NamedTemporaryFile(prefix="ftdist-") as copy:
        with open_data(path) as file:
            shutil.copyfileobj(file, copy, _COPIED_BYTES)
        copy.flush()
        yield Path(copy.name)


class _Bounded(io.RawIOBase):
    """A decompressed stream that ends with an error where it holds too much."""

    def __init__(self, stream: io.RawIOBase | gzip.GzipFile, path: Path) -> None:
        self._stream, self._read = stream, 0
        self._packed = path.stat().st_size
        self._most = max(_FREE_BYTES, MAX_RATIO * self._packed)

    def buffered(self) -> io.BufferedReader:
        return io.BufferedReader(self, 1 << 17)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        count = self._stream.readinto(cast(bytearray, buffer)) or 0
        self._read += count
        if self._read > self._most:
            raise EOFError(
                f"its {self._packed} bytes hold more than {self._most >> 20} MiB; unpack it "
                "yourself if you trust it"
            )
        return count

    def close(self) -> None:
        self._stream.close()
        super().close()


class _Zstandard(io.RawIOBase):
    """A file of Zstandard frames, decompressed."""

    def __init__(self, path: Path) -> None:
        import pyarrow  # slow to import, and seldom needed

        self._stream = pyarrow.CompressedInputStream(pyarrow.OSFile(str(path)), "zstd")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(cast(bytearray, buffer))
        try:
            data = self._stream.read(len(view))
        except OSError as error:  # pyarrow's, without a number
            raise EOFError(str(error).partition("\n")[0]) from error
        view[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._stream.close()
        super().close()
