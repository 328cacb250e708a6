"""Clocks and memory: numbers worked by hand on a clock that the test moves."""

import mmap
import time
from pathlib import Path

import numpy as np
import pytest

from ftdist.io.host_memory import anonymous_memory
from ftdist.io.units import GIB
from ftdist.observe.memory import peak_memory_gib
from ftdist.observe.throughput import StepClock


class Watch:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def watch() -> Watch:
    return Watch()


def run_step(clock: StepClock, watch: Watch, *, data_s: float, work_s: float) -> float:
    with clock.waiting_for_data():
        watch.now += data_s
    watch.now += work_s
    return clock.step_done(1000).eta_s


def test_data_wait_counts_towards_throughput_but_not_step_time(watch: Watch) -> None:
    clock = StepClock(total_steps=10, first_step=0, clock=watch)
    with clock.waiting_for_data():
        watch.now += 1.0
    watch.now += 2.0
    with clock.waiting_for_data():
        watch.now += 1.0
    times = clock.step_done(1000)
    assert (times.data_s, times.step_s, times.tokens_per_s) == (2.0, 2.0, 250.0)


def test_pauses_are_excluded_from_step_times(watch: Watch) -> None:
    clock = StepClock(total_steps=10, first_step=0, clock=watch)
    run_step(clock, watch, data_s=0.0, work_s=1.0)
    with clock.pause():
        watch.now += 60.0
    watch.now += 2.0
    times = clock.step_done(1000)
    assert (times.step_s, times.tokens_per_s) == (2.0, 500.0)


def test_time_remaining_ignores_the_first_step_and_includes_pauses(watch: Watch) -> None:
    clock = StepClock(total_steps=14, first_step=4, clock=watch)
    assert run_step(clock, watch, data_s=10.0, work_s=20.0) == pytest.approx(9 * 30.0)
    assert run_step(clock, watch, data_s=1.0, work_s=1.0) == pytest.approx(8 * 2.0)
    # weights 0.1 * 0.9 and 0.1: (0.09 * 2 + 0.1 * 4) / 0.19 = 3.0526...
    assert run_step(clock, watch, data_s=1.0, work_s=3.0) == pytest.approx(7 * 0.58 / 0.19)
    with clock.pause():
        watch.now += 8.0
    # (0.081 * 2 + 0.09 * 4 + 0.1 * 4) / 0.271, and 8 s of pauses over 4 steps
    assert run_step(clock, watch, data_s=0.0, work_s=4.0) == pytest.approx(
        6 * (0.922 / 0.271 + 2.0)
    )


def test_the_last_step_has_no_time_remaining(watch: Watch) -> None:
    clock = StepClock(total_steps=5, first_step=4, clock=watch)
    assert run_step(clock, watch, data_s=0.0, work_s=3.0) == 0.0


def test_a_step_without_any_time_has_no_throughput(watch: Watch) -> None:
    assert StepClock(total_steps=5, first_step=0, clock=watch).step_done(9).tokens_per_s == 0.0


def test_peak_memory_includes_memory_freed_between_samples() -> None:
    before = peak_memory_gib("cpu")
    block = np.ones(64 * 2**20 // 8)
    time.sleep(0.3)  # six samples
    del block
    after = peak_memory_gib("cpu")
    assert after - before > 0.04
    assert anonymous_memory() / GIB < after


def test_peak_memory_leaves_out_mapped_files(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    path.write_bytes(bytes(64 * 2**20))
    before = anonymous_memory() / GIB
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
        assert sum(mapped[:: mmap.PAGESIZE]) == 0
        assert anonymous_memory() / GIB - before < 0.03


def test_goodput_counts_neither_startup_nor_data_waits_nor_pauses(watch: Watch) -> None:
    clock = StepClock(total_steps=10, first_step=0, startup_s=10.0, clock=watch)
    run_step(clock, watch, data_s=2.0, work_s=3.0)
    with clock.pause():
        watch.now += 30.0
    watch.now += 5.0
    # 3 + 5 of 10 + 2 + 3 + 30 + 5 seconds
    assert clock.step_done(1000).goodput == pytest.approx(8 / 50)
