"""A superseded attempt commits nothing."""

from pathlib import Path

import pytest

from ftdist.dist.world import World
from ftdist.errors import RequeueError
from ftdist.rundir import RunDir
from tests.support.ranks import RunRanks
from tests.support.runs.tiny_runs import attempt, make_run, run_attempt


@pytest.mark.slow
@pytest.mark.fault("L7")
def test_superseded_attempt_commits_nothing_and_requests_nothing(
    run_ranks: RunRanks, ingredients: Path, tmp_path: Path
) -> None:
    run = make_run(tmp_path / "r", ingredients, world_size=2)
    run.attempt(2).mkdir(parents=True)  # somebody has begun the next one
    codes = run_attempt(run_ranks, run, 1, world_size=2)
    assert codes == [RequeueError.exit_code] * 2
    assert not list(run.checkpoints.iterdir())
    assert [
        event for event in RunDir(run.root).read_events() if event["event"] == "checkpoint_saved"
    ] == []


def attempt_that_never_stops(world: World, run_dir: Path) -> int:
    """The first attempt, without the checks between steps."""
    from ftdist.train.attempt_guard import AttemptGuard

    AttemptGuard.wants_stop = lambda _: False  # type: ignore[method-assign, assignment]
    return attempt(world, run_dir, 1, -1, 0)


@pytest.mark.fault("L7")
def test_no_checkpoint_is_committed_after_a_newer_attempt_has_begun(
    run_ranks: RunRanks, ingredients: Path, tmp_path: Path
) -> None:
    run = make_run(tmp_path / "r", ingredients, world_size=2, steps=2)
    for number in (1, 2):
        run.attempt(number).mkdir(parents=True)
    codes = run_ranks(2, attempt_that_never_stops, run.root, group=False, timeout_s=240)
    assert codes == [RequeueError.exit_code] * 2
    assert not list(run.checkpoints.iterdir())
