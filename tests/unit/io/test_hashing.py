import os
import time
from pathlib import Path

from ftdist.io.hashing import FileHashes, file_sha256, fingerprint


def test_fingerprint_depends_on_every_part_but_not_on_key_order() -> None:
    assert fingerprint("a", {"x": 1, "y": 2}) == fingerprint("a", {"y": 2, "x": 1})
    assert len({fingerprint("a", "b"), fingerprint("ab"), fingerprint(["a", "b"])}) == 3


def test_a_file_is_hashed_once_per_version(tmp_path: Path) -> None:
    file, cache = tmp_path / "a", FileHashes(tmp_path / "hashes.json")
    file.write_text("one")
    os.utime(file, (time.time() - 60,) * 2)
    digest = cache.sha256(file)
    assert digest == file_sha256(file)
    cache.save()
    cache = FileHashes.load(cache.path)
    assert list(cache.known) == [str(file)]
    file.write_text("other")
    assert cache.sha256(file) == file_sha256(file) != digest
