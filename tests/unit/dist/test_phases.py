"""How long a rank may make no progress in which phase, and its collectives with it."""

from dataclasses import replace

import pytest

from ftdist.config.schema import ClusterConfig
from ftdist.dist.phases import COLLECTIVE_MARGIN_S, PhaseClock, ProgressMemory
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
    memory = ProgressMemory()
    phases = PhaseClock(cluster, memory)
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


@pytest.mark.parametrize(("first_step_s", "limit_s"), [(10, 300), (90, 450), (900, 1800)])
def test_long_steps_get_more_time_but_no_more_than_the_first_one(
    cluster: ClusterConfig,
    first_step_s: float,
    limit_s: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [0.0]
    monkeypatch.setattr("ftdist.dist.phases.time.monotonic", lambda: now[0])
    phases = PhaseClock(cluster)
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
    phases = PhaseClock(cluster)
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
    memory = ProgressMemory(start_s=60)
    assert (memory.read().time, memory.read().limit_s) == (5.0, 60)
    phases = PhaseClock(cluster, memory)
    now[0] = 9.0
    phases.progress()
    assert memory.read().time == 9.0
