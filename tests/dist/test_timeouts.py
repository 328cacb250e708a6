"""A hang in a step ends after its own short time limit; all else may take longer."""

import time

import torch
import torch.distributed

from ftdist.dist.timeouts import StepTimeouts, set_collective_timeout
from ftdist.dist.world import World
from tests.support.ranks import RunRanks

LATE_S = 2.5


def join(world: World, *, late: bool, group: torch.distributed.ProcessGroup | None = None) -> float:
    if late and world.rank == 1:
        time.sleep(LATE_S)
    value = torch.ones(1)
    torch.distributed.all_reduce(value, group=group)
    return value.item()


def late_in_each_phase(world: World) -> list[float | str]:
    seen: list[float | str] = []
    other = torch.distributed.new_group()  # as DeepSpeed has its own
    set_collective_timeout(60)
    timeouts = StepTimeouts(step_s=1, other_s=60)
    seen.append(join(world, late=True, group=other))
    with timeouts.step():
        seen.append(join(world, late=False))  # first: a fifth of a second at most
    with timeouts.step():
        seen.append(join(world, late=False))
    seen.append(join(world, late=True))  # as in a save
    seen.append(timeouts.step_s)
    try:
        with timeouts.step():
            join(world, late=True, group=other)
    except RuntimeError as error:
        seen.append(type(error).__name__ + str(error)[:400])
    return seen


def test_a_late_rank_ends_a_step_but_nothing_else(run_ranks: RunRanks) -> None:
    waiting, late = run_ranks(2, late_in_each_phase)
    assert waiting[:4] == late[:4] == [2.0] * 4
    assert isinstance(waiting[4], float)
    assert 1 <= waiting[4] < LATE_S
    assert "imed out" in str(waiting[5])


def test_long_steps_get_more_time_but_no_more_than_the_long_limit() -> None:
    timeouts = StepTimeouts(step_s=300, other_s=1800)
    assert timeouts.step_s == 1800  # the first step compiles
    for first_step_s, limit in ((10.0, 300.0), (90.0, 450.0), (900.0, 1800.0)):
        timeouts._first_step_s = first_step_s
        assert timeouts.step_s == limit
