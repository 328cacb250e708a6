"""The figures of a storm, worked by hand."""

import random
from pathlib import Path
from typing import Any

import pytest

from benchmarks.storm.faults import FAULTS, flip_bit
from benchmarks.storm.results import (
    Strike,
    best_interval,
    expected_ettr,
    markdown,
    measure,
    to_json,
    whole,
)


def row(step: int, time: float, attempt: int = 1, **more: Any) -> dict[str, Any]:
    return {"step": step, "time": time, "attempt": attempt, **more}


ROWS = [
    *(row(step, 100.0 + step) for step in range(1, 11)),  # step 10 at 110
    *(row(step, 122.0 + step, attempt=2) for step in range(9, 15)),  # step 9 at 131
]
"""Attempt 1 is killed at 110.5 after step 10; the checkpoint was of step 8."""


def test_steps_repeated_and_seconds_to_the_next_new_step() -> None:
    strike = Strike(kind="rank killed", at=110.5)
    measure(strike, ROWS, until=140.0)
    assert (strike.attempt, strike.step, strike.repeated) == (1, 10, 2)  # 9 and 10
    assert strike.first_step_s == pytest.approx(20.5)  # step 9 at 131
    assert strike.new_step_s == pytest.approx(22.5)  # step 11 at 133


def test_a_fault_that_interrupts_nothing_has_no_next_attempt() -> None:
    strike = Strike(kind="slurmd killed", at=104.5)
    measure(strike, ROWS, until=108.0)
    assert (strike.first_step_s, strike.repeated) == (None, 0)
    assert strike.new_step_s == pytest.approx(0.5)


def test_young_by_hand() -> None:
    # Of 100 s 20 are the restart and 5 half an interval of 10 x 1 s; of the rest 10 in 10.1.
    figures = {"step_s": 1.0, "every": 10, "save_s": 0.1, "restart_s": 20.0, "mttf_s": 100.0}
    assert expected_ettr(**figures) == pytest.approx(0.75 * 10 / 10.1)  # type: ignore[arg-type]
    assert best_interval(save_s=0.5, mttf_s=100.0) == pytest.approx(10.0)


def test_productive_time_over_wall_time() -> None:
    strike = Strike(kind="rank killed", at=110.5, detail="rank 1")
    measure(strike, ROWS, until=136.0)
    calm = [row(step, float(step)) for step in range(1, 8)]
    calm += [row(8, 8.2) | {"time/save_s": 0.2}, *(row(step, step + 0.2) for step in range(9, 15))]
    more = {"seed": 1, "minutes": 0.5, "nodes": 4, "equal": True, "orphans": 0, "unnoticed": 0}
    result = whole([strike], ROWS, calm, window=(101.0, 136.0), every=10, **more)
    assert result.steps == 13  # 2 to 14
    assert result.ettr == pytest.approx(13 / 35)
    assert result.interruptions == 1
    assert result.mttf_s == pytest.approx(35.0)
    assert result.restart_s == pytest.approx(20.0)  # from 110 to 131, and a step takes 1
    assert result.save_s == pytest.approx(0.2)
    text = markdown(to_json(result, [strike]))
    assert "| rank killed: rank 1 | 0 s | by itself | 2 | 20.5 s | 22.5 s |" in text
    assert "1 of 1 faults survived" in text
    assert "ETTR (productive step time over wall time): 37.1%" in text


def test_a_stop_that_the_next_fault_overtakes_is_an_interruption() -> None:
    """The stop of 110.2 ends attempt 1 after step 10; a kill at 115 meets the start of the next."""
    strikes = [Strike(kind="signal", at=110.2), Strike(kind="rank killed", at=115.0)]
    for strike, until in zip(strikes, (115.0, 136.0), strict=True):
        measure(strike, ROWS, until=until)
    calm = [row(step, float(step)) for step in range(1, 15)]
    more = {"seed": 1, "minutes": 0.5, "nodes": 4, "equal": True, "orphans": 0, "unnoticed": 0}
    result = whole(strikes, ROWS, calm, window=(101.0, 136.0), every=10, **more)
    assert result.interruptions == 1
    assert result.restart_s == pytest.approx(20.0)


def test_the_time_until_a_stopped_rank_is_noticed_belongs_to_the_restart() -> None:
    """Step 10 ends 15 s late, as its rank is woken for its stack and killed."""
    rows = [row | {"time": row["time"] + 15 * (row["time"] > 109)} for row in ROWS]
    strike = Strike(kind="rank stopped", at=109.5)
    measure(strike, rows, until=150.0)
    calm = [row(step, float(step)) for step in range(1, 15)]
    more = {"seed": 1, "minutes": 0.5, "nodes": 4, "equal": True, "orphans": 0, "unnoticed": 0}
    result = whole([strike], rows, calm, window=(101.0, 151.0), every=10, **more)
    assert result.interruptions == 1
    assert result.restart_s == pytest.approx(15.0 + 20.0)


def test_a_seed_fixes_the_order_of_faults() -> None:
    orders = [random.Random(7).sample(list(FAULTS), len(FAULTS)) for _ in range(2)]
    assert orders[0] == orders[1] != list(FAULTS)


def test_a_flipped_bit_changes_one_byte(tmp_path: Path) -> None:
    path = tmp_path / "shard"
    path.write_bytes(bytes(100))
    flip_bit(path, random.Random(3))
    assert sorted(bin(byte).count("1") for byte in path.read_bytes())[-2:] == [0, 1]
    assert path.stat().st_size == 100
