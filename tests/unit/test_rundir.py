import stat
from pathlib import Path
from typing import Any

import pytest
from ftdist_launch.setup.preflight import run_problems

from ftdist.errors import ConfigError
from ftdist.rundir import RunDir, find_run


def made(root: Path, *, private: bool = True) -> RunDir:
    run = RunDir(root)
    run.create(private=private)
    run.config.write_text("run: {}\n")
    return run


def test_private_run_directory_is_for_the_user_alone(tmp_path: Path) -> None:
    run = made(tmp_path / "runs" / "r")
    assert stat.S_IMODE(run.root.stat().st_mode) == 0o700


@pytest.mark.fault("L13")
def test_of_two_that_make_a_run_at_once_one_succeeds_and_the_other_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second is as fast as can be: it comes between two steps of the first."""
    first, mkdir = RunDir(tmp_path / "r"), Path.mkdir
    second: list[RunDir] = []

    def meanwhile(path: Path, *args: Any, **more: Any) -> None:
        if path.name == "jobs" and not second:
            second.append(first)
            made(first.root)
        mkdir(path, *args, **more)

    monkeypatch.setattr(Path, "mkdir", meanwhile)
    with pytest.raises(ConfigError, match="Run r already exists"):
        first.create(private=True)
    assert second
    assert first.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["r"]


def test_run_is_found_by_name_and_by_path(tmp_path: Path) -> None:
    run = made(tmp_path / "runs" / "r")
    assert find_run("r", runs_root=tmp_path / "runs") == run
    assert find_run(str(run.root), runs_root=tmp_path / "nowhere") == run


def test_an_unknown_run_lists_the_existing_ones(tmp_path: Path) -> None:
    made(tmp_path / "a")
    made(tmp_path / "b")
    with pytest.raises(ConfigError) as caught:
        find_run("c", runs_root=tmp_path)
    assert caught.value.remedy == (
        "name one of: a, b; for another folder, add run.root=DIR or write the path of the run's "
        "directory."
    )


def test_a_folder_without_config_is_not_a_run(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "half")
    run.create(private=True)
    assert not run.exists()
    (problem,) = run_problems(run)
    assert problem.problem == (
        f"Run half already exists in {run.root}, without a config: another `ftdist` is making it, "
        "or was killed meanwhile."
    )


def test_a_run_is_made_in_an_empty_folder_but_not_over_anything_else(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert made(tmp_path / "empty").exists()
    (tmp_path / "file").touch()
    for taken in ("empty", "file"):
        with pytest.raises(ConfigError, match=f"Run {taken} already exists"):
            RunDir(tmp_path / taken).create(private=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "file"]


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


def test_runs_are_shown_by_name_in_runs_and_by_path_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert RunDir(tmp_path / "runs" / "r").cli_name == "r"
    assert RunDir(tmp_path / "my runs" / "r").cli_name == f"'{tmp_path}/my runs/r'"
