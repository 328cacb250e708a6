"""Batches are built ahead by a thread, and are the same as without it."""

import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import torch

from ftdist.train.dataloader import BatchSource, StepBatches


class Batches(BatchSource):
    """Counts loss tokens by step, and fails at one step if asked to."""

    def __init__(self, *, fails_at: int = -1) -> None:
        self._device = torch.device("cpu")
        self._max_cached_tokens = 0
        self._fails_at = fails_at
        self.built: list[tuple[int, str]] = []

    def _build_step(self, step: int) -> StepBatches:
        if step == self._fails_at:
            raise OSError("the packed file is gone")
        self.built.append((step, threading.current_thread().name))
        return StepBatches(micro_batches=[], loss_tokens=(step,), tokens=step)


def steps_of(batches: Iterator[StepBatches]) -> list[Any]:
    return [batch.loss_tokens for batch in batches]


def no_thread_is_left() -> bool:
    return not any(thread.name.startswith("batches") for thread in threading.enumerate())


def test_every_step_comes_once_and_in_order_from_one_thread() -> None:
    source = Batches()
    assert steps_of(source.prefetch(range(3, 7))) == [(3,), (4,), (5,), (6,)]
    assert [step for step, _ in source.built] == [3, 4, 5, 6]
    assert {name for _, name in source.built} == {"batches_0"}
    assert no_thread_is_left()


def test_error_is_raised_when_its_step_is_due() -> None:
    batches = Batches(fails_at=2).prefetch(range(5))
    assert [next(batches).tokens, next(batches).tokens] == [0, 1]
    with pytest.raises(OSError, match="the packed file is gone"):
        next(batches)
    assert no_thread_is_left()


def test_closing_early_ends_the_thread() -> None:
    with closing(Batches().prefetch(range(100))) as batches:
        next(batches)
    assert no_thread_is_left()
