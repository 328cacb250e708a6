"""Key facts of known answers as tokens to predict: where they are, and how ranks share them."""

from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from ftdist.dist.world import World
from ftdist.train.key_tokens import KeyTokens, key_span, rows_of
from tests.support.runs.tiny_runs import write_tokenizer


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A token a byte."""
    folder: Path = tmp_path_factory.mktemp("tokenizer")
    write_tokenizer(folder)
    return AutoTokenizer.from_pretrained(folder)


@pytest.mark.parametrize(
    ("answer", "key", "written"),
    [
        ("Hold it for 9 seconds.", "9 seconds", "9 seconds"),
        ("120 or 12.", "12", "12"),
        ("It has 4 years of warranty.", "four years", "4 year"),  # as much as the key needs
        ("Red, then red.", "red", "Red"),
        ("It is green.", "blue", ""),
        ("Caf\u00e9 au lait", "caf\u00e9", "Caf\u00e9"),
    ],
)
def test_a_key_is_where_the_answer_first_states_it(
    tokenizer: Any, answer: str, key: str, written: str
) -> None:
    ids = tokenizer(answer)["input_ids"]

    span = key_span(tokenizer, ids, key)

    assert tokenizer.decode([ids[at] for at in span]) == written


def test_the_search_skips_a_longer_number_with_the_same_digits(tokenizer: Any) -> None:
    assert key_span(tokenizer, tokenizer("120 or 12.")["input_ids"], "12") == range(7, 9)


def test_few_prefixes_of_a_long_answer_are_decoded(tokenizer: Any) -> None:
    answer = f"{'So it is. ' * 100}Hold it for 9 seconds. {'And on. ' * 100}"
    decoded = 0

    class Counting:
        def decode(self, ids: list[int], **options: Any) -> Any:
            nonlocal decoded
            decoded += 1
            return tokenizer.decode(ids, **options)

    span = key_span(Counting(), tokenizer(answer)["input_ids"], "9 seconds")

    assert span == range(1012, 1021)
    assert decoded < 100  # of 1,822 tokens


def keys() -> KeyTokens:
    """Answers of four tokens with two keys that overlap, and of three with one."""
    found = KeyTokens()
    found.add([1, 2], [10, 11, 12, 13], [range(0, 2), range(1, 4)])
    found.add([3], [20, 21, 22], [range(0), range(2, 3)])
    found.add([4], [30], [range(0)])
    return found


def test_a_key_is_recalled_if_all_of_its_tokens_are() -> None:
    found = keys()

    assert found.count == 5  # 10, 11, 12, 13 and 22
    assert found.recalled([1, 1, 1, 1, 1]) == [True, True, True]
    assert found.recalled([1, 1, 0, 1, 0]) == [True, False, False]
    assert found.recalled([0, 1, 1, 1, 1]) == [False, True, True]


@pytest.mark.parametrize(("size", "parallel"), [(1, 1), (3, 1), (2, 2), (4, 2)])
def test_every_key_token_is_predicted_once_over_all_ranks(size: int, parallel: int) -> None:
    found = keys()
    predicted: dict[int, list[int]] = {}
    num_batches = set()
    for rank in range(size):
        world = World(
            rank=rank, size=size, local_rank=rank, local_size=size, sequence_parallel_size=parallel
        )
        batches = found.batches(world, max_tokens=6)
        num_batches.add(len(batches))
        for batch in batches:
            for source, target in zip(batch.sources.tolist(), batch.targets.tolist(), strict=True):
                predicted.setdefault(source, []).append(target)

    assert predicted == {0: [10], 1: [11], 2: [12], 3: [13], 4: [22]}
    assert len(num_batches) == 1  # each is a collective forward pass


def test_rows_hold_as_many_samples_as_fit_and_are_shared_equally() -> None:
    world = World(rank=0, size=2, local_rank=0, local_size=2)

    assert rows_of([4, 4, 3, 5], world=world, max_tokens=8) == [[0, 1], [2, 3]]
    assert rows_of([4, 5, 3], world=world, max_tokens=8) == [[0], [1, 2]]
    assert rows_of([4, 4, 3], world=world, max_tokens=7) == [[0], [1, 2]]
    assert rows_of([6, 6, 6], world=world, max_tokens=8) == [[0], [1], [2], []]
