"""Batches of prompts."""

from ftdist.inference.batching import by_length


def test_a_batch_is_bounded_by_its_prompts_and_by_their_padded_tokens() -> None:
    prompts = [[0] * size for size in (1, 9, 4, 4, 3, 30)]
    assert list(by_length(prompts, batch=2)) == [[5, 1], [2, 3], [4, 0]]
    # 30 alone is more than 12; 9 leaves no room for 4; 4 + 4 and 3, padded to 4, are 12.
    assert list(by_length(prompts, batch=4, max_tokens=12)) == [[5], [1], [2, 3, 4], [0]]
    assert list(by_length([[], []], batch=4, max_tokens=12)) == [[0, 1]]
