"""An attempt that was superseded writes nothing any more."""

from pathlib import Path

from ftdist.errors import RequeueError
from ftdist.rundir import RunDir
from tests.support.ranks import RunRanks
from tests.support.runs import make_run, run_attempt


def test_an_attempt_that_was_superseded_commits_nothing_and_asks_for_nothing(
    run_ranks: RunRanks, ingredients: Path, tmp_path: Path
) -> None:
    run = make_run(tmp_path / "r", ingredients, world_size=2)
    run.attempt(2).mkdir(parents=True)  # somebody has begun the next one
    codes = run_attempt(run_ranks, run, 1, world_size=2)
    assert codes == [RequeueError.exit_code] * 2
    assert not list(run.checkpoints.iterdir())
    assert [
        event for event in RunDir(run.root).read_events() if event["event"] == "checkpoint"
    ] == []
