"""Checkpoints are written beside training; whatever happens meanwhile, none is lost or half."""

import itertools
import os
import re
import signal
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from ftdist.checkpoint.export import export
from ftdist.checkpoint.manifest import verify_folder
from ftdist.checkpoint.store import CheckpointStore
from ftdist.checkpoint.verify_export import WITHOUT_LOGITS
from ftdist.dist.world import World
from ftdist.errors import RequeueError
from ftdist.io.hashed_writer import Chunk, write_hashed
from ftdist.observe.metrics import read_metrics
from ftdist.rundir import RunDir
from tests.support.ranks import RankFailedError, RunRanks
from tests.support.runs.tiny_runs import STEPS, attempt, curve, make_run, run_attempt, state_hash

KILLS = (
    ("open", r"partial-\d+/shards-000/rank-00000"),  # nothing written
    ("os.rename", r"\.manifest\.json\S* \S*/manifest\.json"),  # all files, no manifest
    ("os.rename", r"partial-\d+ \S*/step-\d+$"),  # all but the name
    ("os.rename", r" \S*/\.trash-"),  # committed, the one before yet to be deleted
)
"""File operations of rank 0, in the order of a save; it is killed before its second such one."""

KILLS_AWAITED = (
    ("open", r"partial-\d+/reference_logits"),  # one file of two
    *KILLS[1:3],
)
"""Only an awaited save writes logits."""


def killed(world: World, run_dir: Path, number: int, event: str, pattern: str) -> int:
    """An attempt whose rank 0 is killed in its second save."""
    count = itertools.count(1)

    def hook(happening: str, arguments: tuple[Any, ...]) -> None:
        if happening != event or (event == "open" and not arguments[2] & os.O_CREAT):
            return  # a commit opens files too, to see that they are there
        paths = " ".join(map(str, arguments[: 2 if event == "os.rename" else 1]))
        if re.search(pattern, paths) and next(count) == 2:
            os.kill(os.getpid(), signal.SIGKILL)

    if world.rank == 0:
        sys.addaudithook(hook)
    return attempt(world, run_dir, number, -1, 0)


@pytest.mark.slow
@pytest.mark.fault("C1", "C13")
@pytest.mark.timeout(1500)  # six attempts
@pytest.mark.parametrize(
    ("is_async", "kills"),
    [(True, KILLS), (False, KILLS_AWAITED)],
    ids=["beside training", "awaited"],
)
def test_a_run_killed_in_its_saves_ends_as_if_it_had_not_been(
    run_ranks: RunRanks,
    tmp_path: Path,
    ingredients: Path,
    is_async: bool,
    kills: tuple[tuple[str, str], ...],
) -> None:
    whole = make_run(tmp_path / "whole", ingredients, world_size=2)
    assert run_attempt(run_ranks, whole, 1, world_size=2) == [0, 0]
    run = make_run(
        tmp_path / "run",
        ingredients,
        *("checkpoint.every_steps=1", "checkpoint.keep_latest=1"),
        f"checkpoint.async_save={str(is_async).lower()}",
        world_size=2,
    )
    store = CheckpointStore(run.checkpoints, keep=1)
    for number, (event, pattern) in enumerate(kills, start=1):
        run.attempt(number).mkdir(parents=True)
        with pytest.raises(RankFailedError, match="SIGKILL"):
            run_ranks(2, killed, run.root, number, event, pattern, group=False, timeout_s=400)
        # Each attempt commits one checkpoint, and is killed in the next; the last kill is later.
        assert store.committed()[0].step == number + ("trash" in pattern)
        for info in store.committed():
            verify_folder(info.path)
    assert run_attempt(run_ranks, run, len(kills) + 1, world_size=2) == [0, 0]
    assert curve(run) == curve(whole)
    assert state_hash(run, step=STEPS) == state_hash(whole, step=STEPS)
    assert [path.name for path in run.checkpoints.iterdir()] == [f"step-{STEPS:08d}"]


def slow_attempt(
    world: World, run_dir: Path, written_after: int, interrupt_at: int, newer_at: int
) -> int:
    """An attempt whose rank 1 ends its first file only when a later step has been recorded.

    Args:
        world: this rank.
        run_dir: of the run.
        written_after: that step.
        interrupt_at: once this step is recorded, rank 0 gets a stop signal; 0: never.
        newer_at: once this step is recorded, a newer attempt begins; 0: never.
    """
    from ftdist.train import shard_writer

    run = RunDir(run_dir)

    def wait_for(step: int) -> None:
        while not any(row["step"] >= step for row in read_metrics(run.metrics)):
            time.sleep(0.005)

    def slow(path: Path, chunks: Iterable[Chunk], **more: Any) -> tuple[int, str]:
        if newer_at:
            wait_for(newer_at)
            run.attempt(2).mkdir(exist_ok=True)
        wait_for(written_after)
        return write_hashed(path, chunks, **more)

    if world.rank == 1:
        vars(shard_writer)["write_hashed"] = slow
    return attempt(world, run_dir, 1, 0 if interrupt_at else -1, interrupt_at)


def saves_of(run: RunDir) -> list[int]:
    return [event["step"] for event in run.read_events() if event["event"] == "checkpoint_saved"]


def test_training_goes_on_beside_a_save_and_the_next_one_waits_for_it(
    run_ranks: RunRanks, tmp_path: Path, ingredients: Path
) -> None:
    run = make_run(tmp_path / "run", ingredients, "checkpoint.every_steps=2", world_size=2)
    run.attempt(1).mkdir(parents=True)
    # The first file of rank 1 ends after step 4, at which the next save is due.
    assert run_ranks(2, slow_attempt, run.root, 4, 0, 0, group=False, timeout_s=240) == [0, 0]
    assert saves_of(run) == [2, 4, 6, 8]
    rows = read_metrics(run.metrics)
    began = {row["step"]: "time/save_s" in row for row in rows}
    ended = [row["step"] for row in rows if "time/save_total_s" in row]
    assert began[3]  # the copy
    assert not began[4]
    assert ended[0] == 5  # waited for at step 4, after its row
    events = [event for event in run.read_events() if event["event"] == "checkpoint_saved"]
    assert all(event["blocked_s"] <= event["total_s"] for event in events)


def test_a_checkpoint_written_beside_training_resumes_and_is_exported_without_a_comparison(
    run_ranks: RunRanks, tmp_path: Path, ingredients: Path
) -> None:
    run = make_run(tmp_path / "run", ingredients, "checkpoint.every_steps=4", world_size=2)
    assert run_attempt(run_ranks, run, 1, world_size=2) == [0, 0]
    last = run.checkpoints / f"step-{STEPS:08d}"
    before = state_hash(run, step=STEPS)
    assert "reference_logits.safetensors" in before
    assert list(state_hash(run, step=4)) == [
        f"shards-000/rank-{rank:05d}-of-00002.safetensors" for rank in range(2)
    ]
    CheckpointStore(run.checkpoints, keep=2).keep_best(4)
    exported = export(run.root)
    assert exported.step == 4
    assert exported.unchecked == WITHOUT_LOGITS
    assert f"\n- {WITHOUT_LOGITS}\n" in (run.export / "README.md").read_text()
    assert AutoModelForCausalLM.from_pretrained(run.export).dtype == torch.float32
    next(last.glob("shards-*/*")).write_bytes(b"")  # damaged: the one before it is used
    assert run_attempt(run_ranks, run, 2, world_size=2) == [0, 0]
    assert state_hash(run, step=STEPS) == before


@pytest.mark.fault("C13")
def test_a_stop_commits_the_save_under_way_and_its_own(
    run_ranks: RunRanks, tmp_path: Path, ingredients: Path
) -> None:
    run = make_run(
        tmp_path / "run",
        ingredients,
        *("checkpoint.every_steps=2", "eval.loss_every_steps=0"),
        world_size=2,
        steps=200,
    )
    run.attempt(1).mkdir(parents=True)
    codes = run_ranks(2, slow_attempt, run.root, 3, 3, 0, group=False, timeout_s=240)
    assert codes == [RequeueError.exit_code] * 2
    (halt,) = [event for event in run.read_events() if event["event"] == "training_stopped"]
    assert saves_of(run)[0] == 2
    assert saves_of(run)[-1] == halt["step"] < 200
    for info in CheckpointStore(run.checkpoints, keep=2).committed():
        verify_folder(info.path)


@pytest.mark.fault("C13", "L7")
def test_a_save_is_not_committed_once_a_newer_attempt_has_begun(
    run_ranks: RunRanks, tmp_path: Path, ingredients: Path
) -> None:
    run = make_run(tmp_path / "run", ingredients, "checkpoint.every_steps=2", world_size=2)
    run.attempt(1).mkdir(parents=True)
    codes = run_ranks(2, slow_attempt, run.root, 3, 0, 3, group=False, timeout_s=240)
    assert codes == [RequeueError.exit_code] * 2
    assert saves_of(run) == []
    assert list(run.checkpoints.iterdir()) == []


def hashed_files(world: World, run_dir: Path, number: int) -> list[str]:
    """Names of the files of checkpoints that this rank hashes while an attempt begins."""
    from ftdist.checkpoint import manifest
    from ftdist.io.hashing import file_sha256

    hashed: list[str] = []

    def noted(path: Path) -> str:
        hashed.append(path.name)
        return file_sha256(path)

    vars(manifest)["file_sha256"] = noted
    assert attempt(world, run_dir, number, -1, 0) == 0
    return hashed


@pytest.mark.slow
def test_each_rank_verifies_its_own_share_of_the_files(
    run_ranks: RunRanks, tmp_path: Path, ingredients: Path
) -> None:
    run = make_run(tmp_path / "run", ingredients, world_size=2)
    assert run_attempt(run_ranks, run, 1, world_size=2) == [0, 0]
    run.attempt(2).mkdir(parents=True)
    rank0, rank1 = run_ranks(2, hashed_files, run.root, 2, group=False, timeout_s=240)
    assert sorted(rank0) == ["rank-00000-of-00002.safetensors", "reference_logits.safetensors"]
    assert rank1 == ["rank-00001-of-00002.safetensors"]


def short_of_memory(world: World, run_dir: Path) -> int:
    from ftdist.train import shard_writer

    if world.rank == 1:  # on the node of one rank only
        vars(shard_writer)["available_memory"] = lambda: 1000.0
    return attempt(world, run_dir, 1, -1, 0)


@pytest.mark.slow
def test_without_memory_for_a_copy_on_one_node_all_ranks_wait_for_their_saves(
    run_ranks: RunRanks, tmp_path: Path, ingredients: Path
) -> None:
    run = make_run(tmp_path / "run", ingredients, "checkpoint.every_steps=4", world_size=2)
    run.attempt(1).mkdir(parents=True)
    assert run_ranks(2, short_of_memory, run.root, group=False, timeout_s=240) == [0, 0]
    assert saves_of(run) == [4, 8]
    rows = {row["step"]: row for row in read_metrics(run.metrics)}
    assert rows[5]["time/save_total_s"] <= rows[5]["time/save_s"]
