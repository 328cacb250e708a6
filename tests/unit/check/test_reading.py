"""Which rows are read: all, or some of every part."""

from pathlib import Path

import pytest

from ftdist.check import reading
from ftdist.check.reading import RowReader
from ftdist.data.chat_encoder import ChatEncoder
from ftdist.library.sources.reference import DataReference
from ftdist.prepare.data_files import find_files
from tests.support.models.families import tokenizer_of
from tests.unit.check.conftest import conversation, write_library


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """400 rows of about 120 bytes each."""
    return write_library(
        tmp_path / "library", [conversation(f"Where is {n:03}?", "There.") for n in range(400)]
    )


def read(library: Path, *, all_rows: bool) -> tuple[list[int], bool]:
    encoder = ChatEncoder(tokenizer_of("smollm2"), system_prompt=None)
    reader = RowReader(encoder, sequence_length=128, all_rows=all_rows)
    files = find_files(DataReference(path=str(library)), key="k")
    rows = [each.row.location.row for each in reader.read({"library": files})]
    return [row for row in rows if row is not None], reader.has_all


def test_a_short_file_is_read_whole(library: Path) -> None:
    rows, has_all = read(library, all_rows=False)
    assert (rows, has_all) == (list(range(1, 401)), True)


def test_rows_are_taken_from_all_over_a_long_file(
    library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "PORTION_BYTES", 600)
    monkeypatch.setattr(reading, "ROWS_PER_SOURCE", 40)
    monkeypatch.setattr(reading, "_MAX_PARTS", 20)
    rows, has_all = read(library, all_rows=False)
    assert len(rows) == 40
    assert not has_all
    # Two rows of each of 20 parts: at most 400 / 20 rows lie between one part and the next.
    assert rows[0] == 1
    assert rows[-1] > 360
    gaps = [later - earlier for earlier, later in zip(rows[::2], rows[2::2], strict=False)]
    assert max(gaps) < 2 * 400 / 20
    assert read(library, all_rows=True) == (list(range(1, 401)), True)
