"""Files of samples: columns, row groups, what comes back."""

from pathlib import Path
from typing import Any, cast

import pytest
from pyarrow import parquet

from ftdist.data.messages import FunctionCall, Message, ToolCall
from ftdist.errors import DataError
from ftdist.library.schema import Conversation, Sample
from ftdist.library.store import samples as store
from ftdist.library.store.samples import (
    join_samples,
    library_schema,
    read_rows,
    read_samples,
    samples_of_groups,
    used_columns,
    write_samples,
)

LABELS = {"source": "s", "source_role": "library"}
PLAIN = ["messages", "text", "location", "section", "made_by", "doc_id", "source", "source_role"]
TOOLS = '[{"type": "function", "function": {"name": "weather"}}]'


def sample(*messages: Message, **more: Any) -> Sample:
    return Sample(messages=messages, location="row 1", made_by="as written", doc_id="d", **more)


def question(text: str = "Q?") -> Message:
    return Message(role="user", content=text)


def answer(text: str = "A.", **more: Any) -> Message:
    return cast("Message", {"role": "assistant", "content": text, **more})


def call(**more: Any) -> ToolCall:
    function = FunctionCall(name="weather", arguments='{"city": "Oslo"}')
    return cast("ToolCall", {"type": "function", "function": function, **more})


def library_file(folder: Path, *samples: Sample) -> Path:
    """The samples as a library has them."""
    write_samples(folder / "part.parquet", samples)
    parts = [folder / "part.parquet"]
    join_samples(folder / "s-train.parquet", parts, columns=used_columns(parts), labels=LABELS)
    return folder / "s-train.parquet"


def test_samples_come_back_with_the_keys_that_they_had(tmp_path: Path) -> None:
    whole = [
        sample(
            question(),
            answer("", tool_calls=[call(id="1"), call()], weight=0),
            Message(role="tool", content="4 C", tool_call_id="1", name="weather"),
            answer("It is cold.", reasoning_content="4 is cold."),
            tools=TOOLS,
        ),
        sample(text="A text."),
        sample(question(), answer(weight=1)),
    ]
    assert list(read_samples(library_file(tmp_path, *whole))) == whole


def test_columns_of_tools_and_thoughts_are_there_only_if_a_conversation_uses_them(
    tmp_path: Path,
) -> None:
    plain = library_file(tmp_path, sample(question(), answer()), sample(text="A text."))
    schema = parquet.read_schema(plain)
    assert schema.names == PLAIN
    assert [field.name for field in schema.field("messages").type.value_type] == ["role", "content"]

    called = library_file(tmp_path, sample(question(), answer("", tool_calls=[call()])))
    message = parquet.read_schema(called).field("messages").type.value_type
    assert [field.name for field in message] == ["role", "content", "tool_calls"]
    # No call has an id.
    assert [f.name for f in message.field("tool_calls").type.value_type] == ["type", "function"]

    offered = library_file(tmp_path, sample(question(), answer(), tools=TOOLS))
    assert parquet.read_schema(offered).names == [PLAIN[0], "tools", *PLAIN[1:]]


def test_context_comes_back_and_is_a_column_only_if_a_sample_has_one(tmp_path: Path) -> None:
    passage = "The pump costs 40 euros."
    whole = [sample(question(), answer(), context=passage), sample(question(), answer())]
    path = library_file(tmp_path, *whole)
    assert list(read_samples(path)) == whole
    assert "context" in parquet.read_schema(path).names
    rows = [row.context for row in read_rows(path) if isinstance(row, Conversation)]
    assert rows == [passage, ""]

    old = library_file(tmp_path, *whole[1:])
    assert "context" not in parquet.read_schema(old).names
    assert list(read_samples(old)) == whole[1:]


def test_all_files_of_a_library_have_the_same_columns(tmp_path: Path) -> None:
    parts = [tmp_path / f"{name}.parquet" for name in ("a", "b", "none")]
    write_samples(parts[0], [sample(question(), answer())])
    write_samples(parts[1], [sample(question(), answer(reasoning_content="Hm."))])
    write_samples(parts[2], [])
    columns = used_columns(parts)
    schemas = []
    for part in parts:
        join_samples(tmp_path / "x.parquet", [part], columns=columns, labels=LABELS)
        schemas.append(parquet.read_schema(tmp_path / "x.parquet"))
    own = library_schema(columns, LABELS)
    write_samples(tmp_path / "y.parquet", [sample(text="T")], schema=own, labels=LABELS)
    schemas.append(parquet.read_schema(tmp_path / "y.parquet"))
    assert all(schema == schemas[0] for schema in schemas)
    assert parquet.read_table(tmp_path / "y.parquet").column("source").to_pylist() == ["s"]


def test_row_groups_are_bounded_and_do_not_depend_on_where_batches_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "GROUP_SAMPLES", 16)
    monkeypatch.setattr(store, "GROUP_BYTES", 10_000)
    # 20 samples of some 100 bytes, 10 of some 2,100, one of some 30,100.
    texts = ["t"] * 20 + ["t" * 2_000] * 10 + ["t" * 30_000]
    samples = [sample(text=text) for text in texts]
    files = []
    for batch in (256, 7, 1):
        monkeypatch.setattr(store, "_BATCH", batch)
        files.append(library_file(tmp_path, *samples).read_bytes())
    assert files[0] == files[1] == files[2]
    # Too large for 10,000 bytes, 16 samples are halved: 4 + 4 and 4 of 2,100 fit, 6 do not.
    assert samples_of_groups(tmp_path / "s-train.parquet") == [16, 8, 4, 2, 1]
    second = read_samples(tmp_path / "s-train.parquet", groups=range(1, 2))
    assert list(second) == samples[16:24]


def test_a_file_cut_in_half_is_refused(tmp_path: Path) -> None:
    path = library_file(tmp_path, sample(question(), answer()))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    for read in (samples_of_groups, lambda path: list(read_samples(path))):
        with pytest.raises(DataError, match="is not a file of samples") as caught:
            read(path)
        assert caught.value.remedy == "curate the library again."
