"""Values that ranks give each other."""

import os

import pytest

from ftdist.dist.collectives import (
    all_gather_json,
    broadcast_json,
    gather_json,
    is_same_on_ranks,
    on_rank0,
)
from ftdist.dist.world import World
from ftdist.errors import StorageError
from tests.support.ranks import RunRanks

WORD = "é\u2028x"
"""Its JSON has another length than its text."""


def exchanged(world: World) -> tuple[dict[str, int], list[str], list[str]]:
    value = WORD * 1000 * world.rank
    return (
        broadcast_json({"pid": os.getpid()}, world=world),
        all_gather_json(value, world=world),
        gather_json(value, world=world),
    )


def test_values_of_any_length_arrive_in_rank_order(run_ranks: RunRanks) -> None:
    values = ["", WORD * 1000, WORD * 2000]
    first, second, third = run_ranks(3, exchanged)
    assert first[0] == second[0] == third[0]
    assert first[1] == second[1] == third[1] == values
    assert (first[2], second[2], third[2]) == (values, [], [])


def asked_on_rank0(world: World) -> tuple[int, str]:
    def fail() -> None:
        raise OSError(28, "No space left on device")

    rank: int = on_rank0(lambda: world.rank, world=world)
    with pytest.raises(StorageError) as caught:
        on_rank0(fail, world=world)
    return rank, caught.value.problem


def test_what_rank_0_does_or_fails_to_do_is_known_on_all(run_ranks: RunRanks) -> None:
    problem = "Rank 0: [Errno 28] No space left on device."
    assert run_ranks(2, asked_on_rank0) == [(0, problem)] * 2


def compared(world: World) -> list[bool]:
    large = 2**60 - 1
    values = (0, large, world.rank, large - (world.rank == 1), world.rank // 2)
    return [is_same_on_ranks(value) for value in values]


@pytest.mark.fault("N3")
def test_one_rank_with_another_value_is_seen_on_all(run_ranks: RunRanks) -> None:
    assert run_ranks(3, compared) == [[True, True, False, False, False]] * 3
