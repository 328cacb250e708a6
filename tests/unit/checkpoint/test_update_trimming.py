"""Elements of an update that are left out of a merged model."""

import pytest
import torch

from ftdist.checkpoint import update_trimming
from ftdist.checkpoint.update_trimming import trim_mask


def _left_out(update: list[float], *, largest: float = 0.0, smallest: float = 0.0) -> list[int]:
    mask = trim_mask(torch.tensor(update), largest=largest, smallest=smallest)
    return mask.nonzero().flatten().tolist()


def test_the_largest_or_smallest_share_of_an_update_is_left_out() -> None:
    update = [0.5, -4.0, 1.0, 3.0, -0.1, 2.0, 0.0, -1.5, 0.2, 2.5]
    # By magnitude: 4, 3, 2.5, 2, 1.5, 1, 0.5, 0.2, 0.1, 0.
    assert _left_out(update, largest=0.2) == [1, 3]
    assert _left_out(update, largest=0.08) == [1]  # 0.8 of an element is nearest to 1
    assert _left_out(update, smallest=0.8) == [0, 2, 4, 5, 6, 7, 8, 9]  # keeps the largest two
    assert _left_out(update, largest=0.1, smallest=0.3) == [1, 4, 6, 8]
    assert _left_out(update) == []


def test_of_equal_updates_evenly_spaced_ones_are_left_out() -> None:
    # 3 of 8 go: the 2, and 2 of the six 1s: the third and the sixth.
    update = [1.0, -1.0, 2.0, 1.0, 0.0, -1.0, 1.0, 1.0]
    assert _left_out(update, largest=0.375) == [2, 3, 7]
    # Half of an update of ones goes, every second; then half of what is left.
    assert _left_out([1.0] * 8, largest=0.5) == [1, 3, 5, 7]
    assert _left_out([1.0] * 8, largest=0.5, smallest=0.25) == [1, 2, 3, 5, 6, 7]


def test_equal_updates_are_counted_across_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    update = [1.0, -1.0, 2.0, 1.0, 0.0, -1.0, 1.0, 1.0]
    monkeypatch.setattr(update_trimming, "_CHUNK", 3)
    assert _left_out(update, largest=0.375) == [2, 3, 7]


def test_exactly_the_share_of_a_tensor_of_bfloat16_differences_is_left_out() -> None:
    generator = torch.Generator().manual_seed(0)
    base = torch.randn(64, 50, generator=generator).bfloat16().float()
    update = (base + 0.01 * torch.randn(64, 50, generator=generator)).bfloat16().float() - base
    mask = trim_mask(update, largest=0.08, smallest=0.5)
    assert mask.shape == (64, 50)
    assert int(mask.sum()) == 256 + 1600
    kept = update[~mask].abs()
    assert kept.max() <= update.abs().flatten().sort().values[-256]
    assert kept.min() >= update.abs().flatten().sort().values[1599]


def test_one_number_and_an_empty_tensor_can_be_trimmed() -> None:
    assert not trim_mask(torch.tensor(2.0), largest=0.08, smallest=0.0).any()
    assert trim_mask(torch.tensor(2.0), largest=0.6, smallest=0.0).all()
    assert trim_mask(torch.zeros(0, 3), largest=0.5, smallest=0.0).shape == (0, 3)
