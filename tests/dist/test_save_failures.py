"""A disk that refuses one rank's files costs a checkpoint, not the run."""

import resource
import signal
import threading
import time
from pathlib import Path

import pytest

from ftdist.dist.collectives import all_or_none
from ftdist.dist.world import World
from ftdist.errors import StorageError
from ftdist.observe.metrics import read_metrics
from ftdist.rundir import RunDir
from tests.support.ranks import RunRanks
from tests.support.runs.tiny_runs import STEPS, make_run


def attempt_on_a_full_disk(world: World, run_dir: Path, room_from_step: int) -> int:
    """One attempt in which rank 1 cannot write a file of 10 kB until a step has been recorded."""
    from ftdist.errors import FtdistError
    from ftdist.train.main import main

    run = RunDir(run_dir)
    if world.rank == 1:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))

        def make_room() -> None:
            while not any(row["step"] >= room_from_step for row in read_metrics(run.metrics)):
                time.sleep(0.005)
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))

        threading.Thread(target=make_room, daemon=True).start()
    try:
        return main(run_dir, world, attempt=1)
    except FtdistError as error:
        return error.exit_code if error.problem.startswith("Rank 1: ") else -1
    finally:
        if world.rank == 1:
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))


@pytest.mark.fault("C6")
@pytest.mark.parametrize(
    ("room_from_step", "codes", "kept"),
    [
        (4, [0, 0], ["step-00000006", "step-00000008"]),
        (STEPS + 1, [74, 74], []),
    ],
    ids=["room in time", "never room"],
)
def test_a_full_disk_on_one_rank_fails_the_save_and_training_continues(
    run_ranks: RunRanks,
    tmp_path: Path,
    ingredients: Path,
    room_from_step: int,
    codes: list[int],
    kept: list[str],
) -> None:
    run = make_run(tmp_path / "run", ingredients, world_size=2)
    text = run.config.read_text().replace("every_steps: 0", "every_steps: 3", 1)
    run.config.write_text(text)
    run.attempt(1).mkdir(parents=True)
    assert run_ranks(2, attempt_on_a_full_disk, run.root, room_from_step, group=False) == codes
    assert [row["step"] for row in read_metrics(run.metrics)] == list(range(1, STEPS + 1))
    assert sorted(path.name for path in run.checkpoints.iterdir()) == kept


def failing_on(world: World, failing: int) -> tuple[int, str]:
    def action(fail: bool) -> int:
        if fail:
            raise OSError(28, "No space left on device")
        return world.rank * 10

    fine = all_or_none(lambda: action(False), world=world)
    try:
        all_or_none(lambda: action(world.rank == failing), world=world)
    except StorageError as error:
        return fine, error.problem
    raise AssertionError("nobody noticed")


def test_failure_on_one_rank_fails_on_all_with_the_same_message(run_ranks: RunRanks) -> None:
    ended = run_ranks(3, failing_on, 1)
    assert [value for value, _ in ended] == [0, 10, 20]
    for _, problem in ended:
        assert problem == "Rank 1: [Errno 28] No space left on device."
