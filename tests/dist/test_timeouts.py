"""A collective that a rank does not join ends after the limit of the phase that it is in."""

import time
from dataclasses import replace

import pytest
import torch
import torch.distributed

from ftdist.dist import phases as phases_module
from ftdist.dist.phases import PhaseTracker
from ftdist.dist.timeouts import set_collective_timeout
from ftdist.dist.world import World
from tests.support.ranks import RunRanks
from tests.support.runs.fake_runs import some_config

STEP_S, LATE_S = 3, 6.0


def join(world: World, group: torch.distributed.ProcessGroup | None, *, late: bool) -> float:
    if late and world.rank == 1:
        time.sleep(LATE_S)
    value = torch.ones(1)
    torch.distributed.all_reduce(value, group=group)
    return value.item()


def late_between_and_in_steps(world: World) -> list[float | str]:
    phases_module.COLLECTIVE_MARGIN_S = 0.0
    other = torch.distributed.new_group()  # as DeepSpeed has its own
    phases = PhaseTracker(replace(some_config().cluster, step_timeout_s=STEP_S, save_timeout_s=60))
    phases.limit_collectives(set_collective_timeout)
    phases.begin_step(1)
    phases.end_step()
    phases.begin_step(2)
    seen: list[float | str] = [join(world, other, late=False)]
    with phases.phase("save"):
        seen.append(join(world, None, late=True))
    phases.begin_step(3)
    try:
        join(world, other, late=True)
    except RuntimeError as error:
        seen.append(str(error)[:400])
    return seen


@pytest.mark.fault("L5", "L6")
def test_a_late_rank_ends_a_step_but_nothing_else(run_ranks: RunRanks) -> None:
    waiting, late = run_ranks(2, late_between_and_in_steps)
    assert waiting[:2] == late[:2] == [2.0, 2.0]
    assert f"imed out waiting {STEP_S * 1000:.0f}ms" in str(waiting[2])
