"""Training that goes wrong saves nothing bad, loses nothing good, and says what was wrong."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from ftdist.checkpoint.manifest import read_manifest
from ftdist.checkpoint.store import CheckpointStore
from ftdist.checkpoint.vanished import RESTART_ACCEPTED
from ftdist.dist.world import World
from ftdist.errors import DeviceError, DivergedError, FtdistError, RequeueError
from ftdist.observe.metrics import read_metrics
from ftdist.rundir import RunDir
from tests.support.ranks import RunRanks
from tests.support.runs.tiny_runs import (
    STEPS,
    attempt,
    curve,
    make_run,
    run_attempt,
    state_hash,
)

pytestmark = pytest.mark.timeout(900)  # up to three attempts

Change = Callable[[Any, int], None]
"""Called with the engine and the steps done, after each step."""


def told_attempt(world: World, run_dir: Path, number: int) -> tuple[int, str]:
    """One attempt: its exit code, and what it says."""
    from ftdist.train.main import main

    try:
        return main(run_dir, world, attempt=number), ""
    except FtdistError as error:
        return error.exit_code, f"{error.problem} {error.remedy}"


def poisoned(world: World, run_dir: Path, bad_steps: list[int]) -> tuple[int, str]:
    """Attempt 1, in which the loss of rank 1 is NaN in some steps."""
    from ftdist.train import loop
    from ftdist.zero.engine import Zero3Engine

    forward, step = Zero3Engine.forward, vars(loop)["train_step"]
    done = 0

    def bad_forward(self: Zero3Engine, batch: Any) -> Any:
        loss, losses = forward(self, batch)
        is_bad = done + 1 in bad_steps and world.rank == 1 and torch.is_grad_enabled()
        bad = math.nan if is_bad else 1.0
        return loss * bad, losses * bad

    def counted_step(*args: Any, **more: Any) -> Any:
        nonlocal done
        result = step(*args, **more)
        done += 1
        return result

    vars(loop)["train_step"] = counted_step
    Zero3Engine.forward = bad_forward  # type: ignore[method-assign]
    return told_attempt(world, run_dir, 1)


def saved(run: RunDir) -> list[int]:
    return [event["step"] for event in run.read_events() if event["event"] == "checkpoint_saved"]


def kept(run: RunDir) -> list[int]:
    return sorted(info.step for info in CheckpointStore(run.checkpoints, keep=2).committed())


@pytest.mark.fault("N1", "M7", "C13")
@pytest.mark.slow
def test_three_skipped_steps_end_the_attempt_name_their_samples_and_evict_nothing(
    run_ranks: RunRanks, tmp_path: Path, ingredients: Path
) -> None:
    run = make_run(tmp_path / "run", ingredients, "checkpoint.every_steps=1", world_size=2)
    run.attempt(1).mkdir(parents=True)
    ends = run_ranks(2, poisoned, run.root, [4, 5, 6, 7, 8], group=False, timeout_s=600)
    assert [code for code, _ in ends] == [DivergedError.exit_code] * 2
    assert "for 3 consecutive steps (steps 4 to 6)" in ends[0][1]
    skipped = [event for event in run.read_events() if event["event"] == "step_skipped"]
    assert [(event["step"], event["ranks"]) for event in skipped] == [(4, [1]), (5, [1]), (6, [1])]
    for event in skipped:
        assert event["samples"]["library"]
        assert str(event["samples"]["library"][0]) in ends[0][1]
    assert [row["step"] for row in read_metrics(run.metrics)] == [1, 2, 3, 4, 5, 6]
    assert kept(run) == [2, 3]  # the save of step 3 was under way
    # Without the fault, the run resumes there as if nothing had happened.
    assert run_attempt(run_ranks, run, 2, world_size=2) == [0, 0]
    whole = make_run(tmp_path / "whole", ingredients, world_size=2)
    assert run_attempt(run_ranks, whole, 1, world_size=2) == [0, 0]
    assert curve(run) == curve(whole)
    assert state_hash(run, step=STEPS) == state_hash(whole, step=STEPS)


@pytest.mark.fault("M7")
@pytest.mark.slow
def test_no_checkpoint_is_made_while_steps_are_skipped_and_one_follows(
    run_ranks: RunRanks, tmp_path: Path, ingredients: Path
) -> None:
    run = make_run(
        tmp_path / "run",
        ingredients,
        *("checkpoint.every_steps=2", "checkpoint.async_save=false"),
        world_size=2,
    )
    run.attempt(1).mkdir(parents=True)
    ends = run_ranks(2, poisoned, run.root, [4], group=False, timeout_s=600)
    assert ends == [(0, "")] * 2
    assert saved(run) == [2, 5, 6, 8]


def changed(world: World, run_dir: Path, name: str, at: int) -> tuple[int, str]:
    """Attempt 1, in which something happens right after step `at`."""
    from ftdist.train import loop

    step, done = vars(loop)["train_step"], 0

    def with_change(engine: Any, *args: Any, **more: Any) -> Any:
        nonlocal done
        result = step(engine, *args, **more)
        done += 1
        if done == at:
            CHANGES[name](engine, world.rank)
        return result

    vars(loop)["train_step"] = with_change
    return told_attempt(world, run_dir, 1)


def ruin(engine: Any, _: int) -> None:
    """The following updates have a far too large learning rate."""
    set_rate = engine.set_learning_rate
    engine.set_learning_rate = lambda rate: set_rate(rate * 1e30)


def flip_whole(engine: Any, rank: int) -> None:
    """A bit of a weight that every rank keeps whole, on rank 1."""
    if rank == 1:
        for _, parameter in engine.named_parameters():
            if parameter.data.numel() and parameter.data.ndim == 1:
                parameter.data.view(torch.int32)[0] ^= 1


def flip_shard(engine: Any, rank: int) -> None:
    """A bit of rank 2's shard of every weight."""
    if rank == 2:
        for _, parameter in engine.named_parameters():
            parameter.ds_tensor.view(torch.int32)[0] ^= 1


CHANGES: dict[str, Change] = {"ruin": ruin, "flip_whole": flip_whole, "flip_shard": flip_shard}


@pytest.mark.fault("M7")
def test_ruined_parameters_are_not_saved_and_the_last_good_checkpoint_stays(
    run_ranks: RunRanks, tmp_path: Path, ingredients: Path
) -> None:
    run = make_run(tmp_path / "run", ingredients, *("checkpoint.every_steps=1",), world_size=2)
    run.attempt(1).mkdir(parents=True)
    ends = run_ranks(2, changed, run.root, "ruin", 4, group=False, timeout_s=600)
    assert [code for code, _ in ends] == [DivergedError.exit_code] * 2
    assert ends[0][1].startswith("The parameters are ruined after step 5: their norm is ")
    assert kept(run) == [3, 4]
    assert run_attempt(run_ranks, run, 2, world_size=2) == [0, 0]
    (start,) = [
        e for e in run.read_events() if e["event"] == "training_started" if e["attempt"] == 2
    ]
    assert start["step"] == 4


@pytest.mark.fault("N3")
@pytest.mark.parametrize(
    ("change", "faulty", "what"),
    [
        ("flip_whole", 1, "the weights of model"),
        ("flip_shard", 2, "are not those of the optimizer"),
    ],
)
def test_a_flipped_bit_on_one_rank_names_the_rank_and_nothing_is_saved(
    run_ranks: RunRanks, tmp_path: Path, ingredients: Path, change: str, faulty: int, what: str
) -> None:
    run = make_run(
        tmp_path / "run",
        ingredients,
        *("checkpoint.every_steps=1", "train.compare_ranks_every_steps=1"),
        world_size=3,
    )
    run.attempt(1).mkdir(parents=True)
    ends = run_ranks(3, changed, run.root, change, 3, group=False, timeout_s=600)
    codes = [RequeueError.exit_code] * 3
    codes[faulty] = DeviceError.exit_code
    assert [code for code, _ in ends] == codes
    for _, words in ends:
        assert words.startswith("Ranks disagree after step 3: ")
        assert f"(rank {faulty} on " in words
        assert what in words
    assert max(kept(run)) < 3


def spiking(world: World, run_dir: Path, number: int, at: int, stop_after: int) -> int:
    """An attempt that measures a tenfold loss once, at step `at`; stops once a row is recorded."""
    from ftdist.train import loop

    share, spikes = loop.Loop._share, [at]

    def spiking_share(self: Any, result: Any) -> Any:
        if spikes and self._spike_step == spikes[0]:
            spikes.clear()
            result.loss_sums.mul_(10)
        return share(self, result)

    def noted(self: Any, done: int, row: Any, report: Any) -> Any:
        self._spike_step = done + 1
        return after_step(self, done, row, report)

    after_step = loop.Loop._after_step
    loop.Loop._spike_step = 0  # type: ignore[attr-defined]
    loop.Loop._share = spiking_share  # type: ignore[method-assign]
    loop.Loop._after_step = noted  # type: ignore[method-assign]
    return attempt(world, run_dir, number, 0 if stop_after else -1, stop_after)


ROLL_BACK = {"spike": 22, "to_step": 15, "first": 18, "end": 22}
"""4 steps up to the one that is done as the 22nd; checkpoints every 5 steps."""


@pytest.mark.fault("N2")
@pytest.mark.slow
def test_a_spike_rolls_back_and_the_run_ends_as_one_that_never_saw_those_steps(
    run_ranks: RunRanks, tmp_path: Path, ingredients: Path
) -> None:
    settings = (
        *("checkpoint.every_steps=5", "eval.loss_every_steps=0"),
        *("train.loss_spike=roll_back", "train.rollback_steps=4"),
    )
    run = make_run(tmp_path / "run", ingredients, *settings, world_size=2, steps=30)
    run.attempt(1).mkdir(parents=True)
    codes = run_ranks(2, spiking, run.root, 1, 22, 25, group=False, timeout_s=600)
    assert codes == [RequeueError.exit_code] * 2
    events = list(run.read_events())
    (event,) = [event for event in events if event["event"] == "rolled_back"]
    assert ROLL_BACK.items() <= event.items()
    (spike,) = [event for event in events if event["event"] == "loss_spike"]
    assert spike["step"] == 22
    assert 20 not in kept(run)
    assert run_attempt(run_ranks, run, 2, world_size=2) == [0, 0]
    reference = make_run(tmp_path / "reference", ingredients, *settings, world_size=2, steps=30)
    reference.append_event("rolled_back", attempt=0, **ROLL_BACK)
    # It is to begin without the checkpoint that the roll-back goes to.
    reference.append_event(RESTART_ACCEPTED, recorded=15, checkpoint=None, steps_lost=15)
    assert run_attempt(run_ranks, reference, 1, world_size=2) == [0, 0]
    assert [row["step"] for row in read_metrics(reference.metrics)] == [
        *range(1, 19),
        *range(23, 31),
    ]
    assert state_hash(run, step=30) == state_hash(reference, step=30)
    by_step = {row["step"]: row["train/loss"] for row in read_metrics(run.metrics)}
    for row in read_metrics(reference.metrics):
        assert by_step[row["step"]] == row["train/loss"]


@pytest.mark.fault("C11")
@pytest.mark.slow
def test_two_checkpoints_stay_while_training_and_one_is_left_at_its_end(
    run_ranks: RunRanks, tmp_path: Path, ingredients: Path
) -> None:
    run = make_run(
        tmp_path / "run",
        ingredients,
        *("checkpoint.every_steps=1", "checkpoint.keep_latest=1"),
        world_size=2,
    )
    run.attempt(1).mkdir(parents=True)
    codes = run_ranks(2, attempt, run.root, 1, 0, 4, group=False, timeout_s=600)
    assert codes == [RequeueError.exit_code] * 2
    assert len(kept(run)) == 2
    assert run_attempt(run_ranks, run, 2, world_size=2) == [0, 0]
    assert kept(run) == [STEPS]
    assert read_manifest(run.checkpoints / f"step-{STEPS:08d}").metadata["sound"]
