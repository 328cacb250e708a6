"""The same run on one GPU: trained, interrupted, resumed, exported."""

from pathlib import Path

from ftdist.checkpoint.export import export
from ftdist.observe.metrics import read_metrics
from tests.support.ranks import RunRanks
from tests.support.runs.tiny_runs import STEPS, make_run, run_attempt


def test_run_on_one_gpu_learns_resumes_and_exports(
    run_ranks: RunRanks, tmp_path: Path, ingredients: Path
) -> None:
    run = make_run(tmp_path / "run", ingredients, world_size=1, dtype="bfloat16", device="cuda")
    stopped = run_attempt(run_ranks, run, 1, world_size=1, interrupt_rank=0, after_row=3)
    assert stopped == [75]
    assert run_attempt(run_ranks, run, 2, world_size=1) == [0]
    losses = [row["train/loss"] for row in read_metrics(run.metrics)]
    assert len(losses) == STEPS
    assert losses[-1] < losses[0]
    assert export(run.root).step == STEPS
