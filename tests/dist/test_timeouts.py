"""A hang in a step ends after its own short time limit; all else may take longer."""

import time

import pytest
import torch
import torch.distributed

from ftdist.dist.timeouts import StepTimeouts
from ftdist.dist.world import World
from tests.support.ranks import RunRanks

STEP_S, LATE_S = 3.0, 6.0


def join(world: World, group: torch.distributed.ProcessGroup | None, *, late: bool) -> float:
    if late and world.rank == 1:
        time.sleep(LATE_S)
    value = torch.ones(1)
    torch.distributed.all_reduce(value, group=group)
    return value.item()


def late_between_and_in_steps(world: World) -> list[float | str]:
    other = torch.distributed.new_group()  # as DeepSpeed has its own
    timeouts = StepTimeouts(step_s=STEP_S, other_s=60)
    timeouts._first_step_s = 0.1
    with timeouts.step():
        seen: list[float | str] = [join(world, other, late=False)]
    seen.append(join(world, None, late=True))  # as in a save
    try:
        with timeouts.step():
            join(world, other, late=True)
    except RuntimeError as error:
        seen.append(str(error)[:400])
    return seen


@pytest.mark.fault("L5")
def test_a_late_rank_ends_a_step_but_nothing_else(run_ranks: RunRanks) -> None:
    waiting, late = run_ranks(2, late_between_and_in_steps)
    assert waiting[:2] == late[:2] == [2.0, 2.0]
    assert f"imed out waiting {STEP_S * 1000:.0f}ms" in str(waiting[2])


def test_long_steps_get_more_time_but_no_more_than_the_long_limit() -> None:
    timeouts = StepTimeouts(step_s=300, other_s=1800)
    assert timeouts.step_s == 1800  # the first step compiles
    for first_step_s, limit in ((10.0, 300.0), (90.0, 450.0), (900.0, 1800.0)):
        timeouts._first_step_s = first_step_s
        assert timeouts.step_s == limit
