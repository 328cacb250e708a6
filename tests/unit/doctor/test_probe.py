import fcntl
from pathlib import Path

from ftdist.doctor.node_report import LOCK, TOKEN, read_reports
from ftdist.doctor.probe import main


def test_this_machine_reports_what_it_is_and_sees(tmp_path: Path) -> None:
    (tmp_path / TOKEN).write_text("f00d")
    with (tmp_path / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert main([str(tmp_path), str(tmp_path)]) == 0
    (found,) = read_reports(tmp_path)
    assert found.token == "f00d"
    assert found.lock_held  # another open file: flock keeps it out in one process too
    assert found.torch is not None
    assert found.torch_error is None
    assert found.memory_gib > 0
    assert found.cache_free_gib is not None
    assert found.arrived_s <= found.time_s
    assert "lo" not in found.interfaces


def test_a_folder_without_token_and_lock_is_reported_so(tmp_path: Path) -> None:
    main([str(tmp_path), str(tmp_path / "missing/folder")])
    (found,) = read_reports(tmp_path)
    assert (found.token, found.lock_held) == (None, None)
    assert found.cache_free_gib is not None  # it can be created
