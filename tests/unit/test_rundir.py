import errno
import json
import resource
import stat
from pathlib import Path

import pytest

from ftdist.errors import ConfigError
from ftdist.rundir import RunDir, append_json_line, find_run, read_json_lines, write_whole


def made(root: Path, *, private: bool = True) -> RunDir:
    run = RunDir(root)
    run.create(private=private)
    run.config.write_text("run: {}\n")
    return run


def test_private_run_directory_is_for_the_user_alone(tmp_path: Path) -> None:
    run = made(tmp_path / "runs" / "r")
    assert stat.S_IMODE(run.root.stat().st_mode) == 0o700


def test_run_is_found_by_name_and_by_path(tmp_path: Path) -> None:
    run = made(tmp_path / "runs" / "r")
    assert find_run("r", runs_root=tmp_path / "runs") == run
    assert find_run(str(run.root), runs_root=tmp_path / "nowhere") == run


def test_unknown_run_names_those_that_there_are(tmp_path: Path) -> None:
    made(tmp_path / "a")
    made(tmp_path / "b")
    with pytest.raises(ConfigError) as caught:
        find_run("c", runs_root=tmp_path)
    assert caught.value.remedy == "name one of: a, b."


def test_a_folder_without_config_is_no_run(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "half")
    run.create(private=True)
    assert not run.exists()


def test_newest_attempt_counts_numbers_not_names(tmp_path: Path) -> None:
    run = made(tmp_path / "r")
    assert run.newest_attempt() == 0
    for name in ("1", "2", "10", "export"):
        (run.attempts / name).mkdir()
    assert run.newest_attempt() == 10
    assert run.attempt(10) == run.attempts / "10"


def test_events_survive_a_torn_last_line(tmp_path: Path) -> None:
    run = made(tmp_path / "r")
    run.append_event("attempt_started", attempt=1)
    with run.events.open("a") as file:
        file.write('{"event": "cut sho')
    (event,) = run.read_events()
    assert event["event"] == "attempt_started"
    assert event["attempt"] == 1
    assert event["time"] > 0


def test_lines_that_are_json_but_no_object_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('7\n[1]\nnull\n{"step": 1}\n')
    assert list(read_json_lines(path)) == [{"step": 1}]


def test_a_run_is_called_by_name_in_runs_and_by_path_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert RunDir(tmp_path / "runs" / "r").cli_name == "r"
    assert RunDir(tmp_path / "my runs" / "r").cli_name == f"'{tmp_path}/my runs/r'"


def test_json_lines_are_private_and_in_order(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    for step in range(3):
        append_json_line(path, {"step": step})
    assert [row["step"] for row in read_json_lines(path)] == [0, 1, 2]
    assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0


def test_small_file_appears_whole_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    write_whole(path, json.dumps({"steps": 1}))
    write_whole(path, json.dumps({"steps": 2}))
    assert json.loads(path.read_text()) == {"steps": 2}
    assert list(tmp_path.iterdir()) == [path]


def test_small_file_that_the_disk_refuses_is_named_and_the_old_one_stays(tmp_path: Path) -> None:
    path = tmp_path / "scores.json"
    write_whole(path, "{}")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(OSError, match="File too large") as caught:
            write_whole(path, "x" * 200)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (caught.value.errno, caught.value.filename) == (errno.EFBIG, str(path))
    assert path.read_text() == "{}"
    assert list(tmp_path.iterdir()) == [path]
