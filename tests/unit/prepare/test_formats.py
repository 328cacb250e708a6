"""Every format and compression gives the rows that `datasets` reads from it."""

import gzip
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.csv
import pyarrow.parquet
import pytest
from datasets import Dataset, DatasetDict, load_dataset, load_from_disk

from ftdist.errors import DataError
from ftdist.library.readers.discovery import find_sources
from ftdist.library.readers.records.table_rows import read_table
from ftdist.library.readers.rows.chat_formats import read_conversations
from ftdist.library.schema import BadRow, Conversation, Row
from ftdist.library.sources.reference import DataReference
from ftdist.prepare.data_files import SourceFiles, find_files
from ftdist.prepare.portions import parts_of

ROWS = [
    {"question": f"Where is gate {n}?", "answer": f'Ä "left", {n}\nor right'} for n in range(70)
]

_FORMATS = {
    "jsonl": ".jsonl",
    "json": ".json",
    "csv": ".csv",
    "tsv": ".tsv",
    "parquet": ".parquet",
    "arrow": ".arrow",
    "stream": ".arrow",
}


def _bytes(form: str) -> bytes:
    table = pyarrow.Table.from_pylist(ROWS)
    out = io.BytesIO()
    match form:
        case "jsonl":
            return "".join(json.dumps(row) + "\n" for row in ROWS).encode()
        case "json":
            return json.dumps(ROWS).encode()
        case "csv" | "tsv":
            separator = "," if form == "csv" else "\t"
            pyarrow.csv.write_csv(table, out, pyarrow.csv.WriteOptions(delimiter=separator))
        case "parquet":
            pyarrow.parquet.write_table(table, out, row_group_size=20)
        case "arrow" | "stream":
            new = pyarrow.ipc.new_file if form == "arrow" else pyarrow.ipc.new_stream
            with new(out, table.schema) as writer:
                writer.write_table(table, max_chunksize=30)
    return out.getvalue()


def _compressed(data: bytes, compression: str) -> bytes:
    if compression == ".zst":
        return bytes(pyarrow.Codec("zstd").compress(data, asbytes=True))
    return gzip.compress(data) if compression else data


def _train(path: Path, *, portion_bytes: int = 1 << 20, **options: str) -> list[Row]:
    """The rows as training reads them, each file in portions."""
    return list(_rows(_find(path, **options), portion_bytes))


def _find(path: Path | str, **options: str) -> SourceFiles:
    return find_files(DataReference(path=str(path), **options), key="library.path")


def _rows(files: SourceFiles, portion_bytes: int) -> Iterator[Row]:
    for _, part in parts_of(files, source="library", portion_bytes=portion_bytes):
        yield from part.rows


def _curate(path: Path) -> list[Row]:
    """The rows as curation reads them."""
    (source,) = find_sources([str(path)], key="library.sources")
    return [
        row
        for file in source.files
        for row in read_conversations(file.path, name="library: " + file.name, kind=file.kind)
    ]


def _pairs(rows: list[Row]) -> list[tuple[str, str]]:
    pairs = []
    for row in rows:
        assert isinstance(row, Conversation), row
        question, answer = row.messages
        pairs.append((question["content"], answer["content"]))
    return pairs


def _of_datasets(rows: Any) -> list[tuple[str, str]]:
    return [(row["question"], row["answer"]) for row in rows]


def _no_cache(tmp_path: Path) -> dict[str, Any]:
    return {"cache_dir": str(tmp_path / "datasets"), "split": "train"}


@pytest.mark.parametrize("compression", ["", ".gz", ".zst"])
@pytest.mark.parametrize("form", _FORMATS)
def test_train_and_curate_read_the_rows_of_each_format_in_order(
    tmp_path: Path, form: str, compression: str
) -> None:
    path = tmp_path / f"rows{_FORMATS[form]}{compression}"
    path.write_bytes(_compressed(_bytes(form), compression))
    rows = _train(path)
    assert _pairs(rows) == _of_datasets(ROWS)
    assert rows == _curate(path)
    # In small portions, as several processes read it, rows keep their order and numbers.
    assert _train(path, portion_bytes=200) == rows
    numbers = [row.location.row for row in rows if not isinstance(row, BadRow)]
    assert numbers == list(range(1, 71))


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet", "stream"])
def test_the_rows_of_files_are_those_that_datasets_loads(tmp_path: Path, form: str) -> None:
    path = tmp_path / f"rows{_FORMATS[form]}"
    path.write_bytes(_bytes(form))
    kind = {"jsonl": "json", "stream": "arrow"}.get(form, form)
    loaded = load_dataset(kind, data_files=str(path), **_no_cache(tmp_path))
    assert _pairs(_train(path)) == _of_datasets(loaded)


def test_a_compressed_file_is_what_datasets_loads(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl.gz"
    path.write_bytes(gzip.compress(_bytes("jsonl")))
    loaded = load_dataset("json", data_files=str(path), **_no_cache(tmp_path))
    assert _pairs(_train(path)) == _of_datasets(loaded)


def test_a_saved_dataset_is_read_in_the_order_of_its_shards(tmp_path: Path) -> None:
    Dataset.from_list(ROWS).save_to_disk(str(tmp_path / "saved"), num_shards=3)
    assert _pairs(_train(tmp_path / "saved")) == _of_datasets(load_from_disk(tmp_path / "saved"))
    assert _train(tmp_path / "saved") == _curate(tmp_path / "saved")


def test_of_saved_splits_one_is_read(tmp_path: Path) -> None:
    parts = {"train": ROWS[:5], "test": ROWS[5:8]}
    splits = DatasetDict({name: Dataset.from_list(rows) for name, rows in parts.items()})
    splits.save_to_disk(str(tmp_path / "saved"))
    assert _pairs(_train(tmp_path / "saved")) == _of_datasets(ROWS[:5])
    assert _pairs(_curate(tmp_path / "saved")) == _of_datasets(ROWS[:5])
    assert _pairs(_train(tmp_path / "saved", split="test")) == _of_datasets(ROWS[5:8])
    with pytest.raises(DataError, match=r"has no split 'dev'; its splits: train, test\."):
        _find(tmp_path / "saved", split="dev")
    with pytest.raises(DataError, match="saved is a saved dataset with splits, inside a folder"):
        _find(tmp_path)
    DatasetDict({"dev": splits["test"], "test": splits["test"]}).save_to_disk(str(tmp_path / "two"))
    with pytest.raises(DataError, match=r"several splits, none of them train: dev, test\.") as no:
        _find(tmp_path / "two")
    assert no.value.remedy == "set library.split to one of them."


def test_a_folder_whose_readme_names_data_files_is_read_as_datasets_reads_it(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "b.jsonl").write_bytes(_bytes("jsonl"))
    (folder / "a.jsonl").write_text(json.dumps({"question": "q", "answer": "test"}))
    assert len(_train(folder)) == 71  # no README: all files
    (folder / "README.md").write_text(
        "---\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n    "
        "path: b.jsonl\n  - split: test\n    path: a.jsonl\n---\n# Gates\n"
    )
    loaded = load_dataset(str(folder), **_no_cache(tmp_path))
    assert _pairs(_train(folder)) == _of_datasets(loaded)
    assert _train(folder) == _curate(folder)
    assert _pairs(_train(folder, split="test")) == [("q", "test")]
    assert _find(folder).origin == f"{folder} (split train)"


def test_a_glob_reads_its_files_by_name(tmp_path: Path) -> None:
    for name in ("b", "a"):
        row = {"question": "q", "answer": name}
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist([row]), tmp_path / f"{name}.parquet")
    (tmp_path / "c.jsonl").write_text(json.dumps({"question": "q", "answer": "c"}))
    assert _pairs(_train(tmp_path / "*.parquet")) == [("q", "a"), ("q", "b")]
    with pytest.raises(DataError, match=r"library\.path: no file matches .*\*\.csv"):
        _find(tmp_path / "*.csv")


def test_reading_a_table_holds_one_row_group_in_memory(tmp_path: Path) -> None:
    rows = [{"question": "Where?", "answer": f"{n:04} " * 2000} for n in range(640)]
    path = tmp_path / "rows.parquet"
    pyarrow.parquet.write_table(
        pyarrow.Table.from_pylist(rows), path, row_group_size=64, use_dictionary=False
    )
    of_group = sum(len(row["answer"]) for row in rows[:64])
    before = pyarrow.total_allocated_bytes()
    held = [pyarrow.total_allocated_bytes() - before for _ in read_table(path, kind="parquet")]
    assert len(held) == 640
    assert max(held) < 3 * of_group  # as read and as decoded; the file has ten


def _half(data: bytes) -> bytes:
    return data[: len(data) // 2]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.parquet", lambda: _half(_bytes("parquet")), "row 1 cannot be read as Parquet: Parquet"),
        ("a.arrow", lambda: _half(_bytes("arrow")), "row 1 cannot be read as an Arrow file: "),
        ("a.arrow", lambda: _bytes("stream")[:-300], "row 61 cannot be read as an Arrow file: "),
        ("a.jsonl.gz", lambda: _half(gzip.compress(_bytes("jsonl"))), "cannot be decompressed: "),
        (
            "a.jsonl.zst",
            lambda: _half(_compressed(_bytes("jsonl"), ".zst")),
            "cannot be decompressed: ",
        ),
        (
            "a.parquet",
            lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 9\n",
            "is a Git LFS pointer, not the data itself",
        ),
    ],
)
def test_a_damaged_file_is_a_bad_row_by_name(
    tmp_path: Path, name: str, content: Callable[[], bytes], message: str
) -> None:
    (tmp_path / name).write_bytes(content())
    for portion_bytes in (1 << 20, 100):
        last = _train(tmp_path / name, portion_bytes=portion_bytes)[-1]
        assert isinstance(last, BadRow)
        assert message in f"{last.location} {last.reason}".removeprefix("library: ")
        assert last.remedy


def test_a_saved_dataset_without_one_of_its_shards_is_refused(tmp_path: Path) -> None:
    Dataset.from_list(ROWS).save_to_disk(str(tmp_path / "saved"), num_shards=3)
    (tmp_path / "saved/data-00001-of-00003.arrow").unlink()
    with pytest.raises(DataError, match=r"data-00001-of-00003\.arrow is missing \(3 files"):
        _find(tmp_path / "saved")


def test_an_empty_dataset_is_refused(tmp_path: Path) -> None:
    Dataset.from_dict({"question": [], "answer": []}).save_to_disk(str(tmp_path / "saved"))
    with pytest.raises(DataError, match="saved has no rows"):
        _find(tmp_path / "saved")


def test_options_of_a_dataset_are_refused_for_other_files(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(_bytes("jsonl"))
    with pytest.raises(DataError, match="no dataset with splits, and split=test is asked for"):
        _find(tmp_path / "a.jsonl", split="test")
    (tmp_path / "a.pdf").write_bytes(b"%PDF-1.7")
    with pytest.raises(DataError, match=r"holds only \.pdf") as caught:
        _find(tmp_path / "a.pdf")
    assert "make a library of these documents: ftdist curate" in caught.value.remedy
