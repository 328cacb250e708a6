"""Which conversations are held out."""

from pathlib import Path

import pytest

from ftdist.config.schema import RunConfig
from ftdist.data.packed_dataset import PackedLibrary
from ftdist.errors import DataError
from ftdist.prepare.main import prepare
from tests.support.models.word_tokenizer import (
    decoded,
    row,
    samples_of,
    with_library,
    words,
    write_rows,
)


def test_held_out_conversations_are_chosen_by_content(
    config: RunConfig, model: Path, tmp_path: Path
) -> None:
    rows = [row(2, 3, start=at) for at in range(40)]
    write_rows(tmp_path / "library/a.jsonl", rows)
    config = with_library(config, held_out_fraction=0.1)
    facts = prepare(config)
    [library] = facts.sources
    assert (library.samples, library.held_out_samples) == (36, 4)
    packed = PackedLibrary.open(Path(facts.path))
    train, held_out = (
        set(decoded(model, samples_of(part))) for part in (packed.train[0], packed.held_out[0])
    )
    assert (len(train), len(held_out)) == (36, 4)
    assert not train & held_out

    write_rows(tmp_path / "library/a.jsonl", rows[::-1])
    turned = PackedLibrary.open(Path(prepare(config).path))
    assert set(decoded(model, samples_of(turned.held_out[0]))) == held_out


def test_ten_samples_are_enough_to_hold_one_out(config: RunConfig, tmp_path: Path) -> None:
    for count, held_out in ((10, 1), (9, 0)):
        rows = [row(2, 3, start=at) for at in range(count)]
        write_rows(tmp_path / "library/a.jsonl", rows)
        [library] = prepare(with_library(config, held_out_fraction=0.01)).sources
        assert library.held_out_samples == held_out


def test_equal_conversations_are_held_out_together(config: RunConfig, tmp_path: Path) -> None:
    rows = [row(2, 3, start=at % 5) for at in range(20)]
    write_rows(tmp_path / "library/a.jsonl", rows)
    [library] = prepare(with_library(config, held_out_fraction=0.2)).sources
    assert library.held_out_samples == 4  # one of the five, four times


def test_a_library_of_one_text_holds_out_its_end(
    config: RunConfig, model: Path, tmp_path: Path
) -> None:
    (tmp_path / "library/manual.txt").write_text(
        "\n\n".join(words(30, start=at) for at in range(20))
    )
    facts = prepare(with_library(config, held_out_fraction=0.1))
    assert (facts.sources[0].samples, facts.sources[0].held_out_samples) == (18, 2)
    held_out = PackedLibrary.open(Path(facts.path)).held_out[0]
    assert set(decoded(model, samples_of(held_out))) == {
        words(30, start=18),
        f"{words(30, start=19)} </s>",
    }


def test_holding_everything_out_is_refused(config: RunConfig, tmp_path: Path) -> None:
    write_rows(tmp_path / "library/a.jsonl", [row(2, 3, start=at) for at in range(20)])
    with pytest.raises(DataError, match="keeps all 20 samples"):
        prepare(with_library(config, held_out_fraction=0.99))
