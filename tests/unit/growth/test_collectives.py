"""How often a rank communicates: equally often at any number of ranks."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from ftdist.dist.collectives import (
    all_gather_json,
    all_or_none,
    broadcast_json,
    gather_json,
    on_rank0,
)
from ftdist.dist.world import World
from tests.support.counting import count
from tests.support.fake_group import fake_group

MANY = 4096 * 8
VALUE = [{"name": "rank-00000-of-32768.safetensors", "size": 1, "sha256": "0" * 64}] * 3

CALLS: dict[str, Callable[[World], Any]] = {
    "broadcast_json": lambda world: broadcast_json(VALUE, world=world),
    "all_gather_json": lambda world: all_gather_json(VALUE, world=world),
    "gather_json": lambda world: gather_json(VALUE, world=world),
    "all_or_none": lambda world: all_or_none(lambda: VALUE, world=world),
    "on_rank0": lambda world: on_rank0(lambda: VALUE, world=world),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("size", [2, MANY])
def test_values_take_two_collectives_at_most(name: str, size: int) -> None:
    with fake_group(size) as (world, called):
        CALLS[name](world)
    assert len(called) == (1 if name == "all_or_none" else 2)


def test_a_rank_loops_over_no_values_that_only_rank_0_needs() -> None:
    lines = []
    for size in (2, MANY):
        with fake_group(size, rank=1) as (world, _):
            lines.append(count(partial(gather_json, VALUE, world=world)).lines)
    assert lines[0] == lines[1]
