"""How long a rank may make no progress in which phase, and its collectives with it."""

import math
from dataclasses import replace
from typing import get_args

import pytest

from ftdist.config.schema import ClusterConfig
from ftdist.dist.phases import COLLECTIVE_MARGIN_S, NO_LIMIT_S, Phase, PhaseTracker, SharedProgress
from tests.support.runs.fake_runs import some_config


@pytest.fixture
def cluster() -> ClusterConfig:
    return replace(
        some_config().cluster,
        init_timeout_s=100,
        load_timeout_s=1800,
        step_timeout_s=300,
        save_timeout_s=700,
        eval_timeout_s=500,
    )


def test_each_phase_has_its_limit_and_the_phase_before_comes_back(cluster: ClusterConfig) -> None:
    memory = SharedProgress()
    phases = PhaseTracker(cluster, memory)
    assert (memory.read().phase, memory.read().limit_s) == ("start", 100 + COLLECTIVE_MARGIN_S)
    phases.enter("load")
    with phases.phase("evaluate"):
        assert (memory.read().phase, memory.read().limit_s) == ("evaluate", 500)
    assert (memory.read().phase, memory.read().limit_s) == ("load", 1800)
    phases.begin_step(1)
    phases.end_step()
    phases.begin_step(2)
    with phases.phase("save"):
        assert (memory.read().phase, memory.read().limit_s) == ("save", 700)
    assert (memory.read().phase, memory.read().step, memory.read().limit_s) == ("step", 2, 300)


@pytest.mark.parametrize(("first_step_s", "limit_s"), [(10, 300), (90, 450), (900, 4500)])
def test_later_steps_get_five_times_the_first_one_if_that_is_more(
    cluster: ClusterConfig,
    first_step_s: float,
    limit_s: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [0.0]
    monkeypatch.setattr("ftdist.dist.phases.time.monotonic", lambda: now[0])
    phases = PhaseTracker(cluster)
    phases.begin_step(1)
    assert phases.limit_s == 1800  # it compiles
    now[0] += first_step_s
    phases.end_step()
    phases.begin_step(2)
    assert phases.limit_s == limit_s


def test_collectives_outlast_the_phase_so_that_the_watchdog_comes_first(
    cluster: ClusterConfig,
) -> None:
    seen: list[float] = []
    phases = PhaseTracker(cluster)
    phases.enter("load")
    phases.limit_collectives(seen.append)
    phases.progress()  # the same limit is not set again
    with phases.phase("save"):
        pass
    assert seen == [limit + COLLECTIVE_MARGIN_S for limit in (1800, 700, 1800)]


def test_each_report_moves_the_last_progress(
    cluster: ClusterConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [5.0]
    monkeypatch.setattr("ftdist.dist.phases.time.monotonic", lambda: now[0])
    memory = SharedProgress(start_s=60)
    assert (memory.read().time, memory.read().limit_s) == (5.0, 60)
    phases = PhaseTracker(cluster, memory)
    now[0] = 9.0
    phases.progress()
    assert memory.read().time == 9.0


@pytest.mark.fault("L5")
def test_a_large_checkpoint_raises_the_limits_of_loading_and_saving(
    cluster: ClusterConfig,
) -> None:
    # 200 GiB, three times, at 0.5 GiB/s: 1,200 s, more than the 700 s of a save alone.
    phases = PhaseTracker(cluster, checkpoint_gib=200)
    limits = []
    for phase in get_args(Phase)[1:]:
        phases.enter(phase)
        limits.append(phases.limit_s)
    assert limits == [1800, 1800, 1200, 500]  # load, first step, save, evaluate


def test_without_a_limit_nothing_hangs_and_collectives_wait_for_a_year(
    cluster: ClusterConfig,
) -> None:
    memory, seen = SharedProgress(), list[float]()
    phases = PhaseTracker(replace(cluster, step_timeout_s=None, load_timeout_s=None), memory)
    phases.limit_collectives(seen.append)
    phases.begin_step(1)
    assert memory.read().limit_s == math.inf
    phases.end_step()
    phases.begin_step(2)
    assert memory.read().limit_s == math.inf
    assert seen == [100 + 2 * COLLECTIVE_MARGIN_S, NO_LIMIT_S]
