"""A file is hashed while it is written; what could not be written leaves nothing behind."""

import hashlib
import os
import resource
import signal
from pathlib import Path

import pytest

from ftdist.errors import StorageError
from ftdist.io.hashed_writer import PIECE_BYTES, WriteCancelledError, write_hashed
from tests.support.models.fake_checkpoints import in_child


def test_size_and_hash_are_those_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    large = bytes(range(256)) * (PIECE_BYTES // 256) + b"rest"
    size, digest = write_hashed(path, [b"head", b"", memoryview(large)])
    content = path.read_bytes()
    assert content == b"head" + large
    assert (size, digest) == (len(content), hashlib.sha256(content).hexdigest())


def test_a_full_disk_is_a_storage_error_and_gives_the_room_back(tmp_path: Path) -> None:
    def write_too_much() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))
        try:
            write_hashed(tmp_path / "file", [b"x" * 200, b"x" * 200])
        except StorageError as error:
            os._exit(42 if "ulimit" in error.remedy else 1)

    assert in_child(write_too_much) == 42
    assert list(tmp_path.iterdir()) == []


def test_a_cancelled_write_leaves_no_file(tmp_path: Path) -> None:
    asked = iter([False, True])
    with pytest.raises(WriteCancelledError):
        write_hashed(tmp_path / "file", [b"a", b"b"], is_cancelled=lambda: next(asked))
    assert list(tmp_path.iterdir()) == []
