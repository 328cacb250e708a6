"""`datasets` as the independent reader: rows made on the spot are the same in both."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks import datasets_reader
from benchmarks.datasets_reader import FORMATS, compare, messages_of

pytestmark = pytest.mark.timeout(120)


@pytest.mark.parametrize("form", FORMATS)
def test_twenty_thousand_rows_are_the_same_to_datasets(tmp_path: Path, form: str) -> None:
    line = compare(tmp_path, form, rows=20_000, processes=0)
    assert (line["equal"], line["differences"]) == (20_000, 0)


def test_a_row_that_differs_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def other(row: dict[str, Any]) -> list[dict[str, str]]:
        return messages_of(row | {"answer": "Part 1."} if "code 70 " in row["question"] else row)

    monkeypatch.setattr(datasets_reader, "messages_of", other)
    line = compare(tmp_path, "parquet", rows=100, processes=0)
    assert (line["equal"], line["differences"]) == (99, 1)
    assert line["example"].startswith("library: rows.parquet, row 71: ")
