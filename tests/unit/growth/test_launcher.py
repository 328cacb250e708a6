"""What plan, status and the end of an attempt cost: at most proportional to the ranks."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from ftdist_launch.node_metrics import read_node_metrics
from ftdist_launch.slurm.exit_diagnosis import read_job_exit
from ftdist_launch.status import read_status

from ftdist.config.compose import compose
from ftdist.plan.dataset_info import PackedDatasetInfo, PackedSourceInfo
from ftdist.plan.planner import make_plan
from ftdist.rundir import RunDir
from tests.support.counting import Counted, count
from tests.support.runs.fake_runs import leave
from tests.support.slurm.records import attempt_started, make_run
from tests.unit.plan.test_plan import MODEL

FEW, MANY = 8, 64
"""Nodes of 8 ranks."""


def _run(root: Path, *, nodes: int) -> RunDir:
    """A run in its first attempt: rank 1 was killed, the others have ended with 75."""
    hosts = [f"n{node:04d}" for node in range(nodes)]
    run = make_run(root, attempt_started(1, world_size=8 * nodes, hosts=hosts))
    folder = run.attempt(1)
    folder.mkdir(parents=True)
    for host in hosts:
        row = json.dumps({"time": 1.0, "cpu_percent": 1.0})
        (folder / f"system-{host}.jsonl").write_text(f"{row}\n")
    for rank in range(8 * nodes):
        if rank != 1:
            leave(folder, rank, 75)
    (root / "log").touch()
    return run


CALLS: dict[str, Callable[[RunDir, int], Any]] = {
    "status": lambda run, _: read_status(run),
    "node metrics": lambda run, _: read_node_metrics(run),
    "end of an attempt": lambda run, nodes: read_job_exit(
        run.attempt(1), ranks=8 * nodes, log=run.root / "log", log_start=0
    ),
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[int, RunDir]:
    """By number of nodes."""
    root = tmp_path_factory.mktemp("runs")
    return {nodes: _run(root / str(nodes), nodes=nodes) for nodes in (FEW, MANY)}


@pytest.mark.parametrize("name", CALLS)
def test_reading_the_records_of_ranks_is_linear(runs: dict[int, RunDir], name: str) -> None:
    few, many = (count(partial(CALLS[name], runs[nodes], nodes)) for nodes in (FEW, MANY))
    growth = MANY // FEW
    assert many.lines <= growth * few.lines
    assert len(many.opened) <= growth * len(few.opened)
    in_attempt = [file for file in many.opened if "/attempts/" in file]
    assert len(in_attempt) <= 4 * len(set(in_attempt))


def test_status_opens_no_records_of_ranks(runs: dict[int, RunDir]) -> None:
    opened = count(lambda: read_status(runs[MANY])).opened
    assert not any("rank-" in file for file in opened)


def _planned(nodes: int) -> Counted:
    source = PackedSourceInfo(
        name="library",
        weight=1.0,
        samples=10**7,
        sequences=10**6,
        tokens=4096 * 10**6,
        loss_tokens=10**9,
        held_out_samples=10,
        held_out_sequences=1,
    )
    library = PackedDatasetInfo(path="/cache/k", key="k", sources=(source,))
    config = compose(
        [
            *("run.name=r", "model.path=m", "library.path=l", "cluster.device=cuda"),
            *(f"cluster.nodes={nodes}", "cluster.tasks_per_node=8", "cluster=slurm"),
            *(f"batch.tokens={8 * nodes * 4096}", "batch.sequence_length=4096"),
            *("train.epochs=1", "engine=zero3", "batch.micro_batch_size=1"),
            "model.activation_checkpointing=full",
        ]
    )
    return count(lambda: make_plan(config, model=MODEL, library=library, device="cuda"))


def test_a_plan_for_4096_nodes_takes_no_longer_than_one_for_a_single_node() -> None:
    assert _planned(4096).lines <= 1.1 * _planned(1).lines
