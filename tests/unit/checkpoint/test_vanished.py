"""Checkpoints that the record knows and the folder lacks: real folders, real records."""

import json
import threading
from pathlib import Path

import pytest

from ftdist.checkpoint.manifest import FileRecord
from ftdist.checkpoint.store import CheckpointStore
from ftdist.checkpoint.vanished import accept_restart, find_vanished, refuse_vanished
from ftdist.errors import ConfigError, StorageError
from ftdist.io.hashing import file_sha256
from ftdist.rundir import RunDir
from tests.support.models.fake_checkpoints import commit

pytestmark = pytest.mark.fault("M1", "C5")


def run_with(root: Path, *steps: int) -> RunDir:
    """A run that has committed checkpoints at these steps, and recorded them."""
    run = RunDir(root)
    run.create(private=True)
    for step in steps:
        save(run, step)
    return run


def save(run: RunDir, step: int, *, keep: int = 10) -> None:
    store = CheckpointStore(run.checkpoints, keep=keep)
    shard = store.begin(step, 1) / "shard"
    shard.write_text(str(step))
    record = FileRecord(name="shard", size=shard.stat().st_size, sha256=file_sha256(shard))
    commit(store, step, [record])
    run.append_event("checkpoint_saved", step=step, attempt=1)


def remove(run: RunDir, *steps: int) -> None:
    for step in steps:
        folder = run.checkpoints / f"step-{step:08d}"
        folder.rename(run.root / f"purged-{step}")


def test_a_run_without_or_with_all_its_checkpoints_goes_on(tmp_path: Path) -> None:
    refuse_vanished(run_with(tmp_path / "new"))
    refuse_vanished(run_with(tmp_path / "whole", 3, 6))
    fewer = run_with(tmp_path / "fewer", 3, 6)
    save(fewer, 9, keep=1)  # 3 and 6 are retired
    refuse_vanished(fewer)


def test_an_emptied_folder_is_refused_with_the_steps_lost_and_the_word(tmp_path: Path) -> None:
    run = run_with(tmp_path / "r", 3, 14)
    remove(run, 3, 14)
    with pytest.raises(StorageError) as refused:
        refuse_vanished(run)
    assert "checkpoint at step 14" in refused.value.problem
    assert "holds none: 14 steps would be lost" in refused.value.problem
    assert "from the beginning" in refused.value.remedy
    assert "resume.restart=true" in refused.value.remedy
    run.checkpoints.rmdir()  # the folder itself: a disk that is not mounted
    with pytest.raises(StorageError, match="holds none: 14 steps"):
        refuse_vanished(run)


def test_a_folder_that_lacks_the_newest_is_refused_with_the_steps_lost(tmp_path: Path) -> None:
    run = run_with(tmp_path / "r", 3, 6, 9)
    remove(run, 6, 9)
    with pytest.raises(StorageError, match="holds none after step 3: 6 steps would be lost"):
        refuse_vanished(run)


def test_an_older_one_is_used_where_the_newer_was_set_aside_as_damaged(tmp_path: Path) -> None:
    run = run_with(tmp_path / "r", 3, 6, 9)
    (run.checkpoints / "step-00000009/shard").write_text("other")
    damaged: list[Path] = []
    store = CheckpointStore(run.checkpoints, keep=10)
    chosen = store.latest_verified(lambda path, why: damaged.append(path))  # noqa: ARG005
    assert chosen is not None
    assert chosen.step == 6
    refuse_vanished(run)  # the folder says so, before the event is written
    run.append_event("checkpoint_corrupt", path=str(damaged[0]), problem="p")
    refuse_vanished(run)
    save(run, 9)
    save(run, 12)
    remove(run, 12)
    with pytest.raises(StorageError, match="holds none after step 9: 3 steps would be lost"):
        refuse_vanished(run)


def test_after_damage_the_retained_older_one_need_not_be_the_last_saved(tmp_path: Path) -> None:
    run = run_with(tmp_path / "r", 3, 6, 9)
    remove(run, 6)  # retention: 3 was the best, 9 the newest
    aside = run.checkpoints / "step-00000009.damaged"
    (run.checkpoints / "step-00000009").rename(aside)
    run.append_event("checkpoint_corrupt", path=str(aside), problem="p")
    refuse_vanished(run)


def test_damaged_folders_that_were_deleted_do_not_start_the_run_over(tmp_path: Path) -> None:
    run = run_with(tmp_path / "r", 3)
    remove(run, 3)
    aside = run.checkpoints / "step-00000003.damaged"
    run.append_event("checkpoint_corrupt", path=str(aside), problem="p")
    with pytest.raises(StorageError, match=r"checkpoint at step 3, .* 3 steps would be lost"):
        refuse_vanished(run)


def test_metrics_remember_a_save_whose_event_was_lost(tmp_path: Path) -> None:
    run = run_with(tmp_path / "r")
    rows = [{"step": 1, "time": 1.0}, {"step": 2, "time": 2.0, "time/save_total_s": 0.1}]
    run.metrics.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(StorageError, match="2 steps would be lost"):
        refuse_vanished(run)
    save(run, 1)
    run.events.unlink()
    refuse_vanished(run)  # what metrics say of its step is not exact


def test_the_word_is_recorded_and_holds_for_what_had_vanished_alone(tmp_path: Path) -> None:
    run = run_with(tmp_path / "r", 3, 6)
    run.metrics.write_text('{"step": 6, "time": 1.0, "time/save_total_s": 0.1}\n')
    with pytest.raises(ConfigError, match="no checkpoint of run r has vanished"):
        accept_restart(run)
    remove(run, 3, 6)
    assert accept_restart(run).steps_lost == 6
    (event,) = [e for e in run.read_events() if e["event"] == "restart_accepted"]
    assert (event["recorded"], event["checkpoint"], event["steps_lost"]) == (6, None, 6)
    assert find_vanished(run) is None
    save(run, 2)
    remove(run, 2)
    with pytest.raises(StorageError, match="2 steps would be lost"):
        refuse_vanished(run)


def test_checkpoints_that_a_roll_back_left_behind_have_not_vanished(tmp_path: Path) -> None:
    run = run_with(tmp_path / "r", 6, 9)
    run.append_event("rolled_back", attempt=1, spike=10, to_step=6, first=6, end=10)
    run.append_event("attempt_started", attempt=2, checkpoint=9)  # not dropped yet
    remove(run, 9)
    refuse_vanished(run)
    remove(run, 6)
    with pytest.raises(StorageError, match="holds none"):
        refuse_vanished(run)


def test_a_checkpoint_that_shows_late_is_waited_for(tmp_path: Path) -> None:
    run = run_with(tmp_path / "r", 3)
    remove(run, 3)
    folder, kept = run.checkpoints / "step-00000003", run.root / "purged-3"
    timer = threading.Timer(0.5, lambda: kept.rename(folder))
    timer.start()
    refuse_vanished(run, patience_s=30.0)
    timer.join()
