"""Which steps a roll-back leaves out, and which checkpoints it invalidates."""

from pathlib import Path

import pytest

from ftdist.checkpoint.store import CheckpointStore
from ftdist.checkpoint.vanished import find_vanished
from ftdist.rundir import RunDir
from ftdist.train.rollbacks import (
    RollBack,
    drop_invalidated,
    left_out,
    plan_roll_back,
    read_rollbacks,
    record_roll_back,
)
from tests.support.models.fake_checkpoints import save

pytestmark = pytest.mark.fault("N2")


def planned(spike: int, sound: list[int], *, total_steps: int = 100) -> tuple[int, range] | None:
    found = plan_roll_back(spike, num_steps=8, total_steps=total_steps, sound=sound)
    return None if found is None else (found.to_step, found.steps)


def test_it_goes_to_the_newest_checkpoint_from_before_the_8_steps_it_leaves_out() -> None:
    # The 40th step is number 39, counted from 0: 32 to 39 are left out.
    assert planned(40, [35, 30, 20]) == (30, range(32, 40))
    assert planned(40, [32, 20]) == (32, range(32, 40))


def test_where_all_checkpoints_are_newer_fewer_steps_are_left_out() -> None:
    assert planned(40, [38, 36]) == (36, range(36, 40))


def test_there_is_none_without_a_checkpoint_before_the_spike_or_a_step_after_it() -> None:
    assert planned(40, []) is None
    assert planned(40, [40]) is None
    assert planned(40, [30], total_steps=40) is None


def test_every_attempt_reads_the_same_steps_and_drops_the_same_checkpoints(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    store = CheckpointStore(run.checkpoints, keep=9)
    for step in (20, 30, 33, 36, 41):
        save(store, step, sound=step != 33)
    first = RollBack(spike=40, to_step=30, first=34, end=40)
    record_roll_back(run, first, attempt=1)
    record_roll_back(run, RollBack(spike=60, to_step=45, first=58, end=60), attempt=2)
    assert read_rollbacks(run)[0] == first
    assert left_out(read_rollbacks(run)) == {34, 35, 36, 37, 38, 39, 58, 59}
    assert drop_invalidated(store, run) == 2
    # 36 holds steps that are left out; 33 was not sound, and training went on from 30.
    assert [info.step for info in store.committed()] == [41, 30, 20]


def test_a_checkpoint_that_was_saved_when_the_steps_were_computed_again_stays(
    tmp_path: Path,
) -> None:
    run = RunDir(tmp_path)
    store = CheckpointStore(run.checkpoints, keep=9)
    for step in (40, 60, 90):
        save(store, step, sound=step != 60)
    record_roll_back(run, RollBack(spike=100, to_step=40, first=80, end=100), attempt=1)
    drop_invalidated(store, run)
    assert [info.step for info in store.committed()] == [40]
    # A preemption right after a high loss saves step 60 again; two more starts find it.
    save(store, 60, sound=False, rollbacks=1)
    run.append_event("checkpoint_saved", step=60, attempt=1)
    for _ in range(2):
        assert drop_invalidated(store, run) == 1
        assert [info.step for info in store.committed()] == [60, 40]
        assert find_vanished(run) is None
    # The next roll-back invalidates it as the first one did the other.
    record_roll_back(run, RollBack(spike=110, to_step=40, first=70, end=110), attempt=3)
    assert drop_invalidated(store, run) == 2
    assert [info.step for info in store.committed()] == [40]
