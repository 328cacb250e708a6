"""Columns of a file's own: named by the config, or left out."""

import json
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.ipc
import pyarrow.parquet
import pytest

from ftdist.config.compose import compose_curation
from ftdist.library.readers.rows.chat_formats import read_conversations
from ftdist.library.readers.rows.columns import drop_keys, rename_keys
from ftdist.library.readers.rows.nearest_columns import RowFile, describe_difference
from ftdist.library.readers.rows.settings import RowSettings
from ftdist.library.schema import BadRow
from tests.support.documents.read_rows import exchange, notes, read_row, turns

QA = [("user", "Q?"), ("assistant", "A.")]


def test_a_row_without_any_of_the_named_columns_is_read_by_its_form(tmp_path: Path) -> None:
    columns = {"question": "Query", "answer": "Reply"}
    row = {"question": "Q?", "answer": "A."}
    assert turns(read_row(tmp_path, row, columns=columns)) == QA
    assert rename_keys(row, columns) == row


TALK = [{"who": "user", "said": "Q?"}, {"who": "assistant", "said": "A."}]
WHO_SAID = {"role": "who", "content": "said"}


@pytest.mark.parametrize(
    ("row", "columns"),
    [
        ({"messages": TALK}, WHO_SAID),
        (TALK, WHO_SAID),
        ({"messages": json.dumps(TALK)}, WHO_SAID),
        ({"messages": {"who": ["user", "assistant"], "said": ["Q?", "A."]}}, WHO_SAID),
        ({"talk": TALK, "who": "Ann"}, WHO_SAID | {"messages": "talk"}),
        ({"prompt": TALK[:1], "completion": TALK[1:]}, WHO_SAID),
        ({"conversations": TALK[:1], "chosen": TALK[1], "rejected": {"who": "gpt", "said": "B."}},
         WHO_SAID),
        ({"messages": [{"by": {"role": "user"}, "content": "Q?"},
                       {"by": {"role": "assistant"}, "content": "A."}]}, {"role": "by.role"}),
        ({"messages": [{"from": "human", "said": "Q?", "value": 3},
                       {"from": "gpt", "said": "A.", "value": 5}]}, {"content": "said"}),
        ({"messages": exchange("Q?", "A.")}, WHO_SAID),
        ({"messages": [{"nick": "Ann", "text": "Q?", "sent": 1},
                       {"nick": "agent", "text": "A.", "sent": 2}]},
         {"sender": "nick", "time": "sent"}),
    ],
)  # fmt: skip
def test_columns_of_messages_are_keys_of_each_message(
    tmp_path: Path, row: Any, columns: dict[str, str]
) -> None:
    assert turns(read_row(tmp_path, row, columns=columns, preferences="chosen")) == QA


def test_columns_of_messages_leave_tools_and_other_lists_alone() -> None:
    tools = [{"name": "get_torque", "description": "The torque of a bolt."}]
    row = {"tools": tools, "parts": [{"name": "bolt"}], "messages": [{"name": "user", "text": "x"}]}
    renamed = rename_keys(row, {"role": "name", "content": "description"})
    assert renamed == row | {"messages": [{"role": "user", "text": "x"}]}


def test_columns_of_messages_are_keys_of_the_maps_of_a_table() -> None:
    row = {"messages": [[("who", "user"), ("said", "Q?")]]}
    assert rename_keys(row, WHO_SAID) == {"messages": [{"role": "user", "content": "Q?"}]}


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


@pytest.mark.parametrize(
    ("row", "columns"),
    [
        ({"Query text": "Q?", "Reply text": "A."},
         '{question: "Query text", answer: "Reply text"}'),
        ({"data": {"ask": "Q?", "solution": "A."}, "id": "x7"},
         "{question: data.ask, answer: data.solution}"),
        ({"qestion": "Q?", "anwser": "A."}, "{question: qestion, answer: anwser}"),
        ({"frage": "Q?", "antwort": "A.", "lang": "de"}, "{question: frage, answer: antwort}"),
        ({"left": "Q?", "right": "A."}, "{question: left, answer: right}"),
        ({"prompt": "Q?", "gold": "A."}, "{question: prompt, answer: gold}"),
        ({"meta": {"log": exchange("Q?", "A.")}}, "{messages: meta.log}"),
        ({"article": "A long text."}, "{text: article}"),
    ],
)  # fmt: skip
def test_a_row_of_no_known_form_shows_its_columns_and_the_nearest_mapping(
    tmp_path: Path, row: Any, columns: str
) -> None:
    bad = read_row(tmp_path, row)
    assert isinstance(bad, BadRow)
    assert bad.reason.endswith(f"its keys: {', '.join(sorted(row))}")
    assert bad.remedy == f"Set 'library.columns={columns}' if that is what they mean."
    # The line is one that the config takes, and with it the row is read.
    config = compose_curation(
        ["library.name=x", "library.sources=[x]", f"library.columns={columns}"]
    )
    assert not isinstance(read_row(tmp_path, row, columns=config.library.columns), BadRow)


@pytest.mark.parametrize("row", [{"prompt": "Q?"}, {}, {"a": "x", "b": "y", "c": "z"}, {"n": 1}])
def test_no_mapping_is_shown_where_none_is_near(tmp_path: Path, row: Any) -> None:
    bad = read_row(tmp_path, row)
    assert isinstance(bad, BadRow)
    assert bad.remedy == "Name its question and answer in library.columns."


def test_files_of_one_source_with_other_columns_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"question": "Q?", "answer": "A."}\n')
    (tmp_path / "b.jsonl").write_text('{"Query": "Q?", "Reply": "A."}\n')
    files = [RowFile(f"x: {name}", tmp_path / name, "jsonl") for name in ("a.jsonl", "b.jsonl")]
    assert describe_difference(files, bad="x: b.jsonl", settings=RowSettings()) == (
        " x: b.jsonl has the columns Query, Reply, and x: a.jsonl has answer, question."
    )
    assert describe_difference(files[1:], bad="x: b.jsonl", settings=RowSettings()) == ""
