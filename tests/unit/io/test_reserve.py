"""Last words on a full disk: a real one."""

import errno
import json
from pathlib import Path

import pytest

from ftdist.io.reserve import SIZE, Reserve
from ftdist.rundir import RunDir
from tests.support.small_disk import Kind, small_disk


@pytest.mark.fault("M2")
@pytest.mark.parametrize("kind", ["bytes", "inodes"])
def test_the_reserve_becomes_the_record_though_others_keep_the_disk_full(
    tmp_path: Path, kind: Kind
) -> None:
    with small_disk(tmp_path / "disk", kind, size="1m") as disk:
        reserve, record = Reserve(disk.path / "reserve"), disk.path / "error.json"
        reserve.make()
        assert reserve.path.stat().st_size == SIZE
        disk.fill()
        with pytest.raises(OSError, match="No space left") as caught:
            (disk.path / "other").write_bytes(bytes(8192))
        assert caught.value.errno == errno.ENOSPC
        assert reserve.keep(record, json.dumps({"problem": "x" * 5000}))
        assert json.loads(record.read_text()) == {"problem": "x" * 5000}
        assert not reserve.path.exists()


def test_with_room_the_reserve_stays_and_is_released(tmp_path: Path) -> None:
    reserve = Reserve(tmp_path / "reserve")
    reserve.make()
    assert reserve.keep(tmp_path / "error.json", "{}")
    assert reserve.path.exists()
    reserve.release()
    assert [path.name for path in tmp_path.iterdir()] == ["error.json"]


@pytest.mark.fault("M2")
def test_events_that_a_full_disk_refuses_are_written_once_there_is_room(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "bytes", size="1m") as disk:
        run = RunDir(disk.path / "r")
        run.root.mkdir()
        disk.fill()
        assert not run.record_event("save_failed", step=3)
        assert not run.record_event("save_failed", step=6)
        disk.empty()
        assert run.record_event("checkpoint_saved", step=9)
        events = list(run.read_events())
    assert [event["step"] for event in events] == [3, 6, 9]
    times = [event["time"] for event in events]
    assert times == sorted(times)
