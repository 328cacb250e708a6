"""A global batch split over ranks and micro-steps; worked by hand."""

import pytest

from ftdist.config.batch_split import split_batch
from ftdist.errors import ConfigError


def test_a_divisible_batch_gives_equal_micro_steps() -> None:
    assert split_batch(tokens=768, sequence_length=8, micro_batch_size=4, world_size=8) == (96, 3)


def test_an_indivisible_batch_suggests_the_two_nearest_sizes() -> None:
    with pytest.raises(ConfigError) as caught:
        split_batch(tokens=800, sequence_length=8, micro_batch_size=4, world_size=8)
    assert caught.value.problem == (
        "batch.tokens=800 (100 sequences of 8) cannot be shared equally by 8 ranks in "
        "micro-batches of 4."
    )
    assert caught.value.remedy == "set batch.tokens to 768 or 1024."


def test_a_batch_smaller_than_one_micro_step_suggests_the_smallest_size() -> None:
    with pytest.raises(ConfigError) as caught:
        split_batch(tokens=16, sequence_length=8, micro_batch_size=1, world_size=4)
    assert caught.value.remedy == "set batch.tokens to 32."


def test_an_allowed_uneven_batch_rounds_micro_steps_up() -> None:
    assert split_batch(
        tokens=800, sequence_length=8, micro_batch_size=4, world_size=8, allow_uneven=True
    ) == (100, 4)


def test_ranks_that_share_their_sequences_count_as_one() -> None:
    split = split_batch(
        tokens=64, sequence_length=8, micro_batch_size=1, world_size=8, sequence_parallel_size=4
    )
    assert split == (8, 4)  # 2 groups of 4 ranks


def test_ranks_left_over_by_groups_are_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        split_batch(
            tokens=64, sequence_length=8, micro_batch_size=1, world_size=6, sequence_parallel_size=4
        )
    assert caught.value.problem == (
        "batch.sequence_parallel_size=4 does not divide the 6 ranks into equal groups."
    )
    assert caught.value.remedy == (
        "set batch.sequence_parallel_size to 1, 2, 3 or 6, or start another number of ranks."
    )
