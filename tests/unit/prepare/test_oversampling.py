"""Facts with few wordings are repeated."""

import json
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from ftdist.config.schema import RunConfig
from ftdist.data.messages import Message
from ftdist.data.packed_dataset import PackedLibrary
from ftdist.library.schema import Conversation, Location, Passage, Sample
from ftdist.library.store.dataset import MANIFEST
from ftdist.prepare.main import prepare
from ftdist.prepare.oversampling import ONCE, fact_hash, repeats_per_pass
from ftdist.prepare.write_packing import SampleTokens, write_packing
from tests.support.models.word_tokenizer import (
    decoded,
    row,
    samples_of,
    with_library,
    words,
    write_rows,
)
from tests.support.runs.written_library import exchange, write_curated


def chat(answer: str, *, file: str = "prices.md", has_new_fact: bool = True) -> Conversation:
    messages = (Message(role="user", content="Q?"), Message(role="assistant", content=answer))
    return Conversation(messages=messages, location=Location(file), has_new_fact=has_new_fact)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        # Samples of each fact: 8, 3, 1; the mean is 4.
        ([7] * 8 + [5] * 3 + [9], [1] * 8 + [2, 1, 1] + [4]),
        # In any order: the first samples of a fact are the repeated ones.
        ([5, 7, 7, 5, 7, 9, 7, 5, 7, 7, 7, 7], [2, 1, 1, 1, 1, 4, 1, 1, 1, 1, 1, 1]),
        # Samples without a fact are not counted: the mean of 3 and 1 is 2.
        ([ONCE] * 5 + [7] * 3 + [9], [1] * 5 + [1] * 3 + [2]),
        # The mean of 2 and 1 is 1.5, rounded to 2.
        ([7, 7, 9], [1, 1, 2]),
        ([7, 8, 9], [1, 1, 1]),
        ([ONCE, ONCE], [1, 1]),
        ([], []),
    ],
)
def test_facts_with_few_samples_are_shown_as_often_as_the_mean(
    facts: list[int], expected: list[int]
) -> None:
    assert repeats_per_pass(np.array(facts, dtype=np.uint64)).tolist() == expected


def test_a_fact_is_an_answer_at_a_place() -> None:
    price = fact_hash(chat("5 EUR"), b"5 EUR")
    assert price not in (ONCE, fact_hash(chat("6 EUR"), b"6 EUR"))
    assert price == fact_hash(chat("5 EUR"), b"5 EUR")
    assert price != fact_hash(chat("5 EUR", file="help.md"), b"5 EUR")
    assert fact_hash(chat("5 EUR", has_new_fact=False), b"5 EUR") == ONCE
    assert fact_hash(Passage(text="5 EUR", location=Location("prices.md")), b"5 EUR") == ONCE


def test_no_sequence_holds_a_sample_twice(tmp_path: Path) -> None:
    repeats = np.array([1, 3, 0, 2])
    lengths = np.array([4, 5, 6, 7])
    tokens = SampleTokens(lengths, lengths - 1, np.zeros(4, dtype=np.int64))
    count = write_packing(tmp_path, "train", repeats, tokens, sequence_length=20)
    samples, offsets = (
        np.load(tmp_path / f"train-{name}.npy").tolist() for name in ("samples", "offsets")
    )
    sequences = [samples[start:end] for start, end in pairwise(offsets)]
    # All three in one sequence of 16 tokens, then two of 12, then one of 5.
    assert [sorted(each) for each in sequences] == [[0, 1, 3], [1, 3], [1]]
    assert count == 3
    assert np.load(tmp_path / "train-tokens.npy").tolist() == [16, 12, 5]
    assert np.load(tmp_path / "train-loss_tokens.npy").tolist() == [13, 10, 4]


def wordings(answer: int, count: int, *, start: int, place: str) -> list[Sample]:
    """`count` questions of two words for an answer of `answer` words."""
    values = [row(2, answer, start=start + at) for at in range(count)]
    reply = words(answer, start=start)
    return [replace(exchange(each["question"], reply), location=place) for each in values]


def test_a_curated_fact_with_one_wording_is_packed_as_often_as_the_mean(
    config: RunConfig, model: Path, tmp_path: Path
) -> None:
    often = wordings(3, 5, start=0, place="prices.md")
    once = wordings(4, 1, start=100, place="help.md")
    folder = write_curated(tmp_path / "curated", [*often, *once])
    facts = prepare(with_library(config, path=str(folder)))
    # 5 and 1 samples: the mean is 3. 5 samples of 10 tokens and 3 of 11, 4 and 5 of them learned.
    [library] = facts.sources
    assert (library.samples, library.answered_samples, library.answers) == (8, 8, 2)
    assert (library.tokens, library.loss_tokens) == (5 * 10 + 3 * 11, 5 * 4 + 3 * 5)
    packed = PackedLibrary.open(Path(facts.path)).train[0]
    shown = Counter(decoded(model, samples_of(packed)))
    assert sorted(shown.values()) == [1, 1, 1, 1, 1, 3]


def test_rows_of_a_file_are_shown_once_whatever_their_answers(
    config: RunConfig, tmp_path: Path
) -> None:
    labels = [row(2, 3)] * 5 + [row(2, 4)]
    write_rows(tmp_path / "library/labels.jsonl", labels)
    [library] = prepare(config).sources
    assert (library.samples, library.answers) == (6, 2)


def test_replay_is_not_repeated(config: RunConfig, tmp_path: Path) -> None:
    samples = wordings(3, 5, start=0, place="a") + wordings(4, 1, start=100, place="b")
    folder = write_curated(tmp_path / "curated", samples)
    manifest = json.loads((folder / MANIFEST).read_text())
    [source] = manifest["sources"]
    manifest["sources"].append({**source, "name": "general", "role": "replay"})
    (folder / MANIFEST).write_text(json.dumps({**manifest, "shares": {"replay": 0.25}}))
    library, replay = prepare(with_library(config, path=str(folder))).sources
    assert (library.samples, replay.samples) == (8, 6)
