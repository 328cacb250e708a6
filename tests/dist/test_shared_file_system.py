"""A shared file system that answers late, or wrongly for a while, costs seconds and no run."""

import errno
import os
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from ftdist.dist.world import World
from ftdist.rundir import RunDir
from tests.support.ranks import RunRanks
from tests.support.runs.tiny_runs import STEPS, curve, make_run, run_attempt, state_hash

pytestmark = pytest.mark.timeout(900)

SAVES = ("checkpoint.every_steps=2", "checkpoint.async_save=false", "checkpoint.keep_latest=2")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, ingredients: Path) -> RunDir:
    folder = tmp_path_factory.mktemp("undisturbed")
    run = make_run(folder / "run", ingredients, *SAVES, world_size=2)
    assert run_attempt(RunRanks(root=folder), run, 1, world_size=2) == [0, 0]
    return run


def refuse_opening(names: dict[str, int], *, number: int, times: int) -> Counter[str]:
    """Let this process's opens of these files fail some times each, counted per name."""
    refused: Counter[str] = Counter()

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event != "open" or not isinstance(arguments[0], str):
            return
        for name, of_name in names.items():
            if arguments[0].endswith(name) and refused[name] < (of_name or times):
                refused[name] += 1
                raise OSError(number, os.strerror(number), arguments[0])

    sys.addaudithook(hook)
    return refused


def attempt(world: World, run_dir: Path, deadline_s: float) -> tuple[int, str]:
    from ftdist.errors import FtdistError
    from ftdist.io import retry
    from ftdist.train.main import main

    retry.DEADLINE_S = deadline_s
    try:
        return main(run_dir, world, attempt=1), ""
    except FtdistError as error:
        return error.exit_code, error.problem


def attempt_with_stale_handles(world: World, run_dir: Path) -> tuple[int, dict[str, int]]:
    """Every file that an attempt reads and writes again is stale at first, on each rank."""
    names = dict.fromkeys(("config.yaml", "plan.json", "manifest.json", "events.jsonl"), 0)
    refused = refuse_opening(names, number=errno.ESTALE, times=2)
    return attempt(world, run_dir, 60.0)[0], dict(refused)


@pytest.mark.fault("C10")
def test_stale_handles_of_records_and_checkpoints_change_nothing(
    run_ranks: RunRanks, tmp_path: Path, ingredients: Path, undisturbed: RunDir
) -> None:
    run = make_run(tmp_path / "run", ingredients, *SAVES, world_size=2)
    run.attempt(1).mkdir(parents=True)
    ended = run_ranks(2, attempt_with_stale_handles, run.root, group=False, timeout_s=600)
    assert [code for code, _ in ended] == [0, 0]
    assert [refused["plan.json"] for _, refused in ended] == [2, 2]
    assert ended[0][1]["events.jsonl"] == 2
    assert ended[1][1]["manifest.json"] == 2  # the last rank reads commits back
    assert curve(run) == curve(undisturbed)
    assert state_hash(run, step=STEPS) == state_hash(undisturbed, step=STEPS)
    saved = [e["step"] for e in run.read_events() if e["event"] == "checkpoint_saved"]
    assert saved == [2, 4, 6, 8]


def attempt_that_sees_files_late(world: World, run_dir: Path, late_s: float) -> tuple[int, str]:
    """Rank 0 puts the files of the run in place while both ranks look for them."""

    def show() -> None:
        for name in ("config.yaml", "plan.json"):
            time.sleep(late_s)
            (run_dir / f"late-{name}").rename(run_dir / name)

    if world.is_rank0 and late_s:
        threading.Thread(target=show, daemon=True).start()
    return attempt(world, run_dir, 60.0 if late_s else 0.5)


@pytest.mark.fault("L15")
@pytest.mark.parametrize("late_s", [1.0, 0.0], ids=["late", "never"])
def test_files_of_a_run_that_show_late_are_waited_for_and_then_named(
    run_ranks: RunRanks, tmp_path: Path, ingredients: Path, undisturbed: RunDir, late_s: float
) -> None:
    run = make_run(tmp_path / "run", ingredients, *SAVES, world_size=2)
    run.attempt(1).mkdir(parents=True)
    for name in ("config.yaml", "plan.json"):
        (run.root / name).rename(run.root / f"late-{name}")
    ended = run_ranks(2, attempt_that_sees_files_late, run.root, late_s, group=False, timeout_s=600)
    if late_s:
        assert ended == [(0, ""), (0, "")]
        assert curve(run) == curve(undisturbed)
    else:
        for code, problem in ended:
            assert code == 75
            assert problem.startswith(f"{run.config} did not show on ")


def attempt_in_which_a_commit_is_not_seen(world: World, run_dir: Path) -> tuple[int, str]:
    """Rank 1 does not see the commits of steps 6 and 8; it has seen 2 and 4."""
    if world.rank == 1:
        names = dict.fromkeys(("step-00000006/manifest.json", "step-00000008/manifest.json"), 9999)
        refuse_opening(names, number=errno.ENOENT, times=0)
    return attempt(world, run_dir, 0.5)


@pytest.mark.fault("C10")
def test_nothing_is_deleted_for_a_commit_that_another_rank_does_not_see(
    run_ranks: RunRanks, tmp_path: Path, ingredients: Path
) -> None:
    run = make_run(tmp_path / "run", ingredients, *SAVES, world_size=2)
    run.attempt(1).mkdir(parents=True)
    ended = run_ranks(
        2, attempt_in_which_a_commit_is_not_seen, run.root, group=False, timeout_s=600
    )
    for code, problem in ended:  # the last save failed: the run is started again
        assert code == 75
        assert "step-00000008/manifest.json did not show on " in problem
    # Two are kept: with both commits seen, 2 and 4 would be gone.
    assert sorted(path.name for path in run.checkpoints.glob("step-*")) == [
        "step-00000002",
        "step-00000004",
        "step-00000006",
        "step-00000008",
    ]
    failed = [e["step"] for e in run.read_events() if e["event"] == "save_failed"]
    assert failed == [6, 8]
