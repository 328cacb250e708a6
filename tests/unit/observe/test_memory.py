"""Memory that a rank measures of itself."""

import pytest
import torch

from ftdist.observe.memory import allocator_gib


def test_what_the_allocator_reserved_and_what_is_free_are_measured_on_gpus_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert allocator_gib("cpu") is None
    monkeypatch.setattr(torch.cuda, "max_memory_reserved", lambda: 3 * 2**30)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (2**29, 2**32))
    assert allocator_gib("cuda") == (3.0, 0.5)
