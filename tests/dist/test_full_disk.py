"""Checkpoints, metrics, records and logs of a run on one disk that fills while it trains."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ftdist.checkpoint.manifest import read_manifest
from ftdist.dist.world import World
from ftdist.observe.metrics import Row, read_metrics
from ftdist.rundir import RunDir
from tests.support.ranks import RunRanks
from tests.support.runs.tiny_runs import STEPS, curve, make_run, run_attempt, state_hash
from tests.support.small_disk import Kind, SmallDisk, small_disk

ROOT = Path(__file__).resolve().parents[2]

SAVES = ("checkpoint.every_steps=2", "checkpoint.async_save=false", "checkpoint.keep_latest=3")


def attempt_on_a_disk_that_fills(
    world: World, run_dir: Path, disk: SmallDisk, full_from: int, room_from: int
) -> int:
    """One attempt whose disk is full from one row of metrics to another."""
    from ftdist.errors import FtdistError
    from ftdist.observe.loggers import JsonlWriter
    from ftdist.train.main import main

    append = JsonlWriter.append

    def filling(self: JsonlWriter, row: Row) -> str | None:
        if row["step"] == full_from:
            disk.fill()
        if row["step"] == room_from:
            disk.empty()
        return append(self, row)

    if world.is_rank0:
        JsonlWriter.append = filling  # type: ignore[method-assign]
    try:
        return main(run_dir, world, attempt=1)
    except FtdistError as error:
        return error.exit_code
    finally:
        JsonlWriter.append = append  # type: ignore[method-assign]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, ingredients: Path) -> RunDir:
    folder = tmp_path_factory.mktemp("undisturbed")
    run = make_run(folder / "run", ingredients, *SAVES, world_size=2)
    assert run_attempt(RunRanks(root=folder), run, 1, world_size=2) == [0, 0]
    return run


@pytest.mark.timeout(900)
@pytest.mark.fault("C6", "C7")
@pytest.mark.parametrize(
    ("kind", "cause"),
    [("bytes", "iB, but the disk of .* has 0 B free"), ("inodes", "has .* and 0 inodes free")],
)
def test_a_disk_that_is_full_for_some_steps_costs_one_save_and_nothing_else(
    run_ranks: RunRanks,
    tmp_path: Path,
    ingredients: Path,
    undisturbed: RunDir,
    kind: Kind,
    cause: str,
) -> None:
    with small_disk(tmp_path / "disk", kind) as disk:
        run = make_run(disk.path / "run", ingredients, *SAVES, world_size=2)
        run.attempt(1).mkdir(parents=True)
        # Row 3 is the first that finds no room, row 6 the first that does again.
        codes = run_ranks(
            2, attempt_on_a_disk_that_fills, run.root, disk, 3, 6, group=False, timeout_s=600
        )
        assert codes == [0, 0]
        assert curve(run) == curve(undisturbed)
        assert [row["step"] for row in read_metrics(run.metrics)] == list(range(1, STEPS + 1))
        assert [p.name for p in sorted(run.checkpoints.glob("step-*"))] == [
            "step-00000002",
            "step-00000006",
            "step-00000008",
        ]
        assert state_hash(run, step=STEPS) == state_hash(undisturbed, step=STEPS)
        (failed,) = [e for e in run.read_events() if e["event"] == "save_failed"]
        assert failed["step"] == 4
        assert re.search(cause, failed["cause"])
        assert failed["remedy"].startswith("delete files of ")


TINY = (
    *("experiment=tiny", "tracking=off", "cluster.cpus_per_task=1", "cluster.tasks_per_node=2"),
    *("train.steps=40", "checkpoint.every_steps=3", "eval.loss_every_steps=0"),
    *("tracking.curves_every_s=0", "run.name=r"),
)


def ftdist(folder: Path, *arguments: str, **variables: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "ftdist", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[int, Any]]:
    """A folder in which the tiny experiment was trained without trouble, and its losses."""
    folder = tmp_path_factory.mktemp("whole")
    process = ftdist(folder, "train", *TINY)
    out, err = process.communicate(timeout=600)
    assert process.returncode == 0, out + err
    return folder, losses(RunDir(folder / "runs/r"))


def losses(run: RunDir) -> dict[int, Any]:
    return {int(row["step"]): row["train/loss"] for row in read_metrics(run.metrics)}


def wait_for_step(run: RunDir, step: int, process: "subprocess.Popen[str]") -> None:
    while not (run.metrics.exists() and any(r["step"] >= step for r in read_metrics(run.metrics))):
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)


def logs(run: RunDir) -> str:
    return "".join(path.read_text(errors="replace") for path in run.jobs.rglob("*_log.*"))


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.fault("C6", "C7", "M2")
@pytest.mark.parametrize(
    ("kind", "cause"),
    [
        ("bytes", "has 0 B free"),
        ("inodes", "and 0 inodes free"),
        ("quota", "Disk quota exceeded"),
    ],
)
def test_records_logs_and_checkpoints_on_one_full_disk_end_in_one_sentence_and_resume_equal(
    tmp_path: Path, whole: tuple[Path, dict[int, Any]], kind: Kind, cause: str
) -> None:
    undisturbed, expected = whole
    (tmp_path / ".cache").symlink_to(undisturbed / ".cache")
    with small_disk(tmp_path / "runs", kind) as disk:
        run, variables = RunDir(disk.path / "r"), disk.environment(tmp_path)
        process = ftdist(tmp_path, "train", *TINY, **variables)
        wait_for_step(run, 7, process)
        disk.fill()
        out, err = process.communicate(timeout=600)
        assert process.returncode == 74, out + err
        problem, remedy, resumable = err.splitlines()[-3:]
        assert cause in problem
        assert remedy.startswith("To fix: delete files")
        assert err.count("To fix: ") == 1
        assert resumable.startswith("Run r is resumable, last checkpoint: step 6")
        assert "Traceback" not in out + err + logs(run)
        assert "probably killed" not in out + err
        (end,) = [e for e in run.read_events() if e["event"] == "attempt_finished"]
        assert (end["outcome"], end["exit_codes"]) == ("failed", {"74": 2})
        assert cause in end["cause"]
        assert not list(run.attempts.rglob("end.reserve"))
        again = ftdist(tmp_path, "status", "r", **variables)
        assert cause in again.communicate(timeout=120)[0]
        disk.empty()
        process = ftdist(tmp_path, "resume", "r", **variables)
        out, err = process.communicate(timeout=600)
        assert process.returncode == 0, out + err
        assert losses(run) == expected
        last = "checkpoints/step-00000040"
        before = read_manifest(undisturbed / "runs/r" / last)
        assert read_manifest(run.root / last).files == before.files
