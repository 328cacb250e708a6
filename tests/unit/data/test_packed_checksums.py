"""Damage to a packed library: real files, real bits."""

from pathlib import Path

import numpy as np
import pytest

from ftdist.data import packed_checksums
from ftdist.data.packed_checksums import (
    find_damage,
    library_checksum,
    refuse_unknown_ids,
    write_checksums,
)
from ftdist.errors import DataError

pytestmark = pytest.mark.fault("M6", "D6")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ten ids, a mask and offsets, in blocks of 16 bytes."""
    monkeypatch.setattr(packed_checksums, "BLOCK_BYTES", 16)
    source = tmp_path / "source-000"
    source.mkdir()
    np.arange(10, dtype=np.uint32).tofile(source / "ids.bin")
    np.ones(10, dtype=np.uint8).tofile(source / "loss.bin")
    np.save(source / "offsets.npy", np.array([0, 4, 10]))
    return tmp_path


def flip(path: Path, *, bit: int) -> None:
    content = bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)


def test_an_undamaged_library_has_no_damage_and_one_checksum(folder: Path) -> None:
    checksum = write_checksums(folder)
    assert len(checksum) == 64
    assert checksum == library_checksum(folder) == write_checksums(folder)
    assert find_damage(folder, checksum=checksum) == []


@pytest.mark.parametrize("name", ["ids.bin", "loss.bin", "offsets.npy"])
def test_one_flipped_bit_of_any_array_is_found_and_named(folder: Path, name: str) -> None:
    checksum = write_checksums(folder)
    flip(folder / "source-000" / name, bit=37)
    assert find_damage(folder, checksum=checksum) == [
        f"the content of source-000/{name} has changed"
    ]


def test_each_of_three_ranks_hashes_its_share_and_one_finds_the_bit(folder: Path) -> None:
    checksum = write_checksums(folder)
    flip(folder / "source-000/ids.bin", bit=16 * 8 + 1)  # of the second block
    found = [bool(find_damage(folder, checksum=checksum, rank=r, size=3)) for r in range(3)]
    assert found == [False, True, False]


def test_a_file_that_is_cut_or_gone_is_named_by_every_rank(folder: Path) -> None:
    checksum = write_checksums(folder)
    (folder / "source-000/ids.bin").write_bytes(b"1234")
    (folder / "source-000/loss.bin").unlink()
    for rank in (0, 1):
        assert find_damage(folder, checksum=checksum, rank=rank, size=2) == [
            "source-000/ids.bin has 4 bytes instead of 40",
            "source-000/loss.bin is missing",
        ]


def test_a_list_that_was_written_anew_is_not_believed(folder: Path) -> None:
    checksum = write_checksums(folder)
    flip(folder / "source-000/ids.bin", bit=0)
    write_checksums(folder)
    assert find_damage(folder, checksum=checksum) == ["checksums.json was changed"]
    (folder / "checksums.json").unlink()
    assert find_damage(folder, checksum=checksum) == ["checksums.json is missing"]


def test_an_id_beyond_the_embedding_is_refused_with_both_numbers(folder: Path) -> None:
    refuse_unknown_ids(folder, rows=10)
    with pytest.raises(DataError, match="token id 9, but the model's embedding has 9 rows"):
        refuse_unknown_ids(folder, rows=9)
    with pytest.raises(DataError):
        refuse_unknown_ids(folder, rows=9, rank=2, size=3)
    refuse_unknown_ids(folder, rows=9, rank=0, size=3)  # ids 0 to 3
