"""A file in the run directory or W&B's stop button stops a run: it saves and does not go on."""

import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from ftdist.checkpoint.store import CheckpointStore
from ftdist.dist.world import World
from ftdist.errors import RequeueError
from ftdist.observe.metrics import read_metrics
from ftdist.observe.wandb.state import wandb_id
from ftdist.rundir import RunDir
from tests.support.ranks import RunRanks
from tests.support.runs.tiny_runs import attempt, make_run
from tests.support.wandb.loopback import WandbLoopback

pytestmark = [pytest.mark.fault("L12"), pytest.mark.timeout(600)]

STOPPED = [RequeueError.exit_code] * 2


def attempt_with_stop_file(world: World, run_dir: Path, number: int, after_row: int) -> int:
    """One attempt; the stop file appears once step `after_row` is recorded, unless that is 0."""
    from ftdist.train import attempt_guard

    vars(attempt_guard)["CHECK_EVERY_S"] = 0.0
    run = RunDir(run_dir)

    def make_stop_file() -> None:
        while not any(row["step"] >= after_row for row in read_metrics(run.metrics)):
            time.sleep(0.005)
        run.stop.touch()

    if world.is_rank0 and after_row:
        threading.Thread(target=make_stop_file, daemon=True).start()
    return attempt(world, run_dir, number, -1, 0)


def test_a_stop_file_saves_and_ends_training_which_starts_only_without_it(
    run_ranks: RunRanks, tmp_path: Path, ingredients: Path
) -> None:
    run = make_run(tmp_path / "run", ingredients, world_size=2, steps=300)
    for number, after_row in ((1, 3), (2, 0)):
        run.attempt(number).mkdir(parents=True)
        codes = run_ranks(
            2, attempt_with_stop_file, run.root, number, after_row, group=False, timeout_s=300
        )
        assert codes == STOPPED
    first, second = [e["step"] for e in run.read_events() if e["event"] == "training_stopped"]
    assert 3 <= first == second < 300  # the second attempt computed nothing
    assert [info.step for info in CheckpointStore(run.checkpoints, keep=2).committed()] == [first]
    (request, _) = [e for e in run.read_events() if e["event"] == "cancel_requested"]
    assert request["by"] == "stop_file"


def attempt_in_environment(world: World, run_dir: Path, environment: Mapping[str, str]) -> int:
    os.environ |= environment
    return attempt(world, run_dir, 1, -1, 0)


@pytest.mark.slow
def test_the_stop_button_of_wandb_saves_and_ends_training(
    run_ranks: RunRanks, tmp_path: Path, ingredients: Path
) -> None:
    """Real wandb against a stand-in for its server."""
    run = make_run(
        tmp_path / "run", ingredients, "tracking.wandb=auto", world_size=2, steps=100_000
    )
    run.attempt(1).mkdir(parents=True)
    with WandbLoopback() as server:

        def press_stop() -> None:
            while wandb_id(run) not in server.runs or not read_metrics(run.metrics):
                time.sleep(0.1)
            server.stop_run(wandb_id(run))

        threading.Thread(target=press_stop, daemon=True).start()
        environment = server.environment()
        codes = run_ranks(
            2, attempt_in_environment, run.root, environment, group=False, timeout_s=400
        )
    assert codes == STOPPED
    (request,) = [e for e in run.read_events() if e["event"] == "cancel_requested"]
    assert request["by"] == "wandb"
    (halt,) = [e for e in run.read_events() if e["event"] == "training_stopped"]
    (newest,) = CheckpointStore(run.checkpoints, keep=2).committed()
    assert 0 < halt["step"] == newest.step < 100_000
    assert run.was_cancelled()
