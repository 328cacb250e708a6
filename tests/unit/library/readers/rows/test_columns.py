"""Columns of a file's own: named by the config, or left out."""

from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.ipc
import pyarrow.parquet
import pytest

from ftdist.library.readers.rows.chat_formats import read_conversations
from ftdist.library.readers.rows.columns import drop_keys, rename_keys
from ftdist.library.readers.rows.settings import RowSettings
from tests.support.documents.read_rows import exchange, notes, read_row, turns

QA = [("user", "Q?"), ("assistant", "A.")]


def test_a_row_without_any_of_the_named_columns_is_read_by_its_form(tmp_path: Path) -> None:
    columns = {"question": "Query", "answer": "Reply"}
    row = {"question": "Q?", "answer": "A."}
    assert turns(read_row(tmp_path, row, columns=columns)) == QA
    assert rename_keys(row, columns) == row


@pytest.mark.parametrize(
    ("row", "dropped", "left"),
    [
        ({"a": 1, "b": 2}, ["b", "c"], {"a": 1}),
        ({"a": {"b": 1, "c": 2}, "b": 3}, ["a.b"], {"a": {"c": 2}, "b": 3}),
        ({"a": [{"b": 1, "c": 2}, "x"]}, ["a.b"], {"a": [{"c": 2}, "x"]}),
        ({"a.b": 1, "c": 2}, ["a.b"], {"c": 2}),
    ],
)
def test_dropped_columns_are_as_if_no_row_had_them(
    row: Any, dropped: list[str], left: dict[str, Any]
) -> None:
    assert drop_keys(row, dropped) == left


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_dropped_columns_of_tables_leave_a_conversation(tmp_path: Path, kind: str) -> None:
    rows = [{"messages": exchange("Q?", "A."), "images": [{"bytes": b"\x89PNG", "path": None}]}]
    table, path = pyarrow.Table.from_pylist(rows), tmp_path / f"rows.{kind}"
    if kind == "parquet":
        pyarrow.parquet.write_table(table, path)
    else:
        with pyarrow.ipc.new_stream(path, table.schema) as writer:
            writer.write_table(table)
    settings = RowSettings(drop_columns=("images",))
    [row] = read_conversations(path, name="rows", kind=kind, settings=settings)
    assert turns(row) == QA
    assert notes(row) == []
