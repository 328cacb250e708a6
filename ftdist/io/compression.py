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

GZIP = b"\x1f\x8b"
ZSTANDARD = b"\x28\xb5\x2f\xfd"
SUFFIXES = (".gz", ".zst")

DAMAGED = (EOFError, zlib.error, gzip.BadGzipFile)
"""What reading a damaged compressed file raises."""

_COPIED_BYTES = 1 << 24


def is_compressed(path: Path) -> bool:
    """Whether a file is compressed, by its first bytes."""
    with path.open("rb") as file:
        return file.read(4).startswith((GZIP, ZSTANDARD))


def open_data(path: Path) -> io.BufferedIOBase:
    """A file's content as a stream of bytes, decompressed if it is compressed.

    Reading a compressed file that is damaged raises one of `DAMAGED`.
    """
    with path.open("rb") as file:
        head = file.read(4)
    if head.startswith(GZIP):
        return gzip.open(path)
    if head.startswith(ZSTANDARD):
        return io.BufferedReader(_Zstandard(path), 1 << 17)
    return path.open("rb")


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
