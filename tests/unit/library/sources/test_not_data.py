"""What lies beside rows in a folder that is read whole is not learned, whoever reads it."""

import json
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from datasets import Dataset, load_from_disk

from ftdist.errors import DataError
from ftdist.library.readers.discovery import find_sources
from ftdist.library.sources.reference import DataReference
from ftdist.prepare.data_files import find_files

TRAIN = "libraries/widget/data/m-train.parquet"
HELD_OUT = "libraries/widget/data/m-held_out.parquet"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, which names are relative to."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read_by_both(path: str) -> list[str]:
    """The files that `ftdist curate` reads at a path, which are those that `ftdist train` does."""
    [source] = find_sources([path], key="library.sources")
    trained = find_files(DataReference(path=path), key="library.path")
    assert [file.path.resolve() for file in source.files] == [f.resolve() for f in trained.files]
    return [str(file.resolve().relative_to(Path.cwd())) for file in trained.files]


@pytest.fixture
def library(here: Path) -> Path:
    """What a curated library consists of, without its card."""
    folder = here / "libraries/widget"
    (folder / "data").mkdir(parents=True)
    for name in ("m-train", "m-held_out", "probes"):
        table = pyarrow.table({"question": ["Why?"], "answer": [f"For {name}."]})
        pyarrow.parquet.write_table(table, folder / f"data/{name}.parquet")
    (folder / "manifest.json").write_text("{}")
    (folder / "index.html").write_text("<p>A card.</p>")
    return folder


@pytest.mark.parametrize(
    "path",
    ["libraries", "libraries/widget/data", "libraries/*/data/*.parquet", "libraries/**/*.parquet"],
)
@pytest.mark.usefixtures("library")
def test_held_out_rows_of_a_library_in_a_folder_are_not_learned(path: str) -> None:
    assert read_by_both(path) == [TRAIN]


def test_held_out_rows_are_not_learned_from_within_the_library(
    library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(library / "data")
    assert read_by_both(".") == read_by_both("*.parquet") == ["m-train.parquet"]


def test_the_card_of_a_library_in_a_folder_is_not_learned(library: Path, here: Path) -> None:
    (library / "README.md").write_text("A card.\n")
    (here / "libraries/notes.md").write_text("Some text.\n")
    assert read_by_both("libraries") == ["libraries/notes.md", TRAIN]


@pytest.mark.usefixtures("library")
def test_held_out_rows_are_read_where_they_are_named() -> None:
    assert read_by_both(HELD_OUT) == [HELD_OUT]


def test_files_named_held_out_beside_no_manifest_are_read(library: Path) -> None:
    (library / "manifest.json").unlink()
    assert read_by_both("libraries/widget/data/*-*.parquet") == [HELD_OUT, TRAIN]


def saved(folder: Path, *, shards: int = 1) -> Dataset:
    Dataset.from_dict({"question": ["Why?"] * 4, "answer": ["So."] * 4}).save_to_disk(
        str(folder), num_shards=shards
    )
    return load_from_disk(str(folder))


@pytest.mark.parametrize("path", ["saved", "saved/*/*", "saved/**/*.arrow"])
def test_only_the_shards_of_saved_datasets_in_a_folder_are_read(here: Path, path: str) -> None:
    saved(here / "saved/one").map(lambda row: {"answer": row["answer"] + "!"})
    saved(here / "saved/two", shards=3)
    saved(here / "saved/two", shards=2)
    assert len(list((here / "saved/one").glob("cache-*.arrow"))) == 1
    assert len(list((here / "saved/two").glob("data-*.arrow"))) == 5
    assert read_by_both(path) == [
        "saved/one/data-00000-of-00001.arrow",
        "saved/two/data-00000-of-00002.arrow",
        "saved/two/data-00001-of-00002.arrow",
    ]


def test_a_saved_dataset_in_a_folder_without_one_of_its_shards_is_refused(here: Path) -> None:
    saved(here / "saved/one", shards=2)
    (here / "saved/one/data-00001-of-00002.arrow").unlink()
    with pytest.raises(DataError, match=r"saved/one is not complete: data-00001-of-00002.arrow is"):
        read_by_both("saved")


def test_results_in_the_cache_of_datasets_are_not_read_beside_its_rows(here: Path) -> None:
    rows = {"question": ["Why?"], "answer": ["So."]}
    (here / "rows.jsonl").write_text(json.dumps({key: value[0] for key, value in rows.items()}))
    loaded = Dataset.from_json(str(here / "rows.jsonl"), cache_dir=str(here / "cache"))
    loaded.map(lambda row: {"answer": row["answer"] + "!"})
    assert len(list((here / "cache").rglob("*.arrow"))) == 2
    [read] = read_by_both("cache")
    assert read.endswith("/json-train.arrow")


def test_a_shard_that_is_named_is_read_without_the_others(here: Path) -> None:
    saved(here / "saved/one", shards=2)
    (here / "saved/one/data-00001-of-00002.arrow").unlink()
    shard = "saved/one/data-00000-of-00002.arrow"
    assert read_by_both(shard) == [shard]
