"""A packed library read back from disk."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ftdist.data.packed_dataset import PackedLibrary, PackedSource
from ftdist.errors import StorageError
from ftdist.plan.dataset_info import PackedDatasetInfo, PackedSourceInfo

FACTS = PackedDatasetInfo(
    path="/elsewhere",
    key="abc",
    sources=(
        PackedSourceInfo(
            name="library",
            weight=1.0,
            samples=3,
            sequences=2,
            tokens=8,
            loss_tokens=4,
            held_out_samples=0,
            held_out_sequences=0,
        ),
    ),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three samples, 1 2 3 / 4 5 / 6 7 8, packed as (0, 2) and (1)."""
    source = tmp_path / "abc" / "source-000"
    source.mkdir(parents=True)
    np.arange(1, 9, dtype=np.uint32).tofile(source / "ids.bin")
    np.array([0, 1, 1, 0, 1, 0, 0, 1], dtype=np.uint8).tofile(source / "loss.bin")
    np.save(source / "offsets.npy", np.array([0, 3, 5, 8]))
    parts = {
        "train": {
            "samples": [0, 2, 1],
            "offsets": [0, 2, 3],
            "tokens": [6, 2],
            "loss_tokens": [3, 1],
        },
        "held_out": {"samples": [], "offsets": [0], "tokens": [], "loss_tokens": []},
    }
    for part, arrays in parts.items():
        for name, values in arrays.items():
            np.save(source / f"{part}-{name}.npy", np.array(values, dtype=np.int64))
    card = {"facts": json.loads(FACTS.to_json())}
    (tmp_path / "abc" / "card.json").write_text(json.dumps(card))
    return tmp_path / "abc"


def test_a_sequence_concatenates_its_samples(folder: Path) -> None:
    library = PackedLibrary.open(folder)
    [train] = library.train
    assert len(train) == 2
    first = train.sequence(0)
    assert first.input_ids.tolist() == [1, 2, 3, 6, 7, 8]
    assert first.loss.tolist() == [False, True, True, False, False, True]
    assert first.lengths.tolist() == [3, 3]
    assert train.sequence(1).input_ids.tolist() == [4, 5]
    assert train.loss_tokens.tolist() == [3, 1]
    assert train.tokens.tolist() == [6, 2]


def test_nothing_held_out_gives_an_empty_split(folder: Path) -> None:
    [held_out] = PackedLibrary.open(folder).held_out
    assert len(held_out) == 0
    assert held_out.loss_tokens.sum() == 0


def test_facts_name_the_folder_where_it_is_now(folder: Path) -> None:
    assert PackedLibrary.open(folder).facts == replace(FACTS, path=str(folder))


def test_tokens_are_memory_mapped(folder: Path) -> None:
    source = PackedSource(folder / "source-000", part="train")
    assert isinstance(source._ids, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        source._ids[0] = 7


@pytest.mark.parametrize("damage", ["card.json", "source-000/ids.bin", "source-000/offsets.npy"])
def test_an_incomplete_packed_library_is_refused(folder: Path, damage: str) -> None:
    path = folder / damage
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(StorageError, match="cannot be read") as caught:
        PackedLibrary.open(folder)
    assert caught.value.remedy.startswith(f"delete {folder}")


def test_a_missing_packed_library_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be read"):
        PackedLibrary.open(tmp_path / "none")
