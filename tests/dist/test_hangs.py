"""A rank that hangs in training is found, named and killed; the run goes on as if undisturbed."""

import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from ftdist_launch import entrypoints
from ftdist_launch.hangs import stacks_file
from ftdist_launch.local.submit import ATTEMPT
from ftdist_launch.local.supervisor import Supervisor
from ftdist_launch.rank_process import read_rank_info
from ftdist_launch.rank_records import read_starts

from ftdist.config.saved_config import load_config
from ftdist.observe.metrics import read_metrics
from ftdist.plan.plan import Plan
from ftdist.rundir import RunDir
from tests.support.runs.tiny_runs import curve, make_run, state_hash

RANKS = 2
STEPS = 60
LIMITS = ("cluster.load_timeout_s=120", "cluster.step_timeout_s=15", "cluster.eval_timeout_s=15")


def train(
    root: Path, ingredients: Path, function: Callable[[str], None], *, act: "Act | None" = None
) -> RunDir:
    asked = (*LIMITS, "checkpoint.every_steps=2")
    run = make_run(root, ingredients, *asked, world_size=RANKS, steps=STEPS)
    view = act or Act()
    view.run = run
    supervisor = Supervisor(
        run=run,
        config=load_config(run.config),
        make_view=lambda _: view,
        log=lambda _: None,
        jobs=SimpleNamespace(train=function),
    )
    with supervisor.exclusive():
        finished = supervisor.train(Plan.from_json(run.plan.read_text()), requested_by="train")
    assert finished.outcome == "done"
    return run


class Act:
    """A view that stops rank 1 after step 3 of the first attempt, if asked to."""

    def __init__(self, *, stops: bool = False) -> None:
        self.run: RunDir | None = None
        self.stopped_at = 0.0
        self._stops = stops

    def update(self) -> None:
        if not self._stops or self.run is None or self.stopped_at:
            return
        if any(row["step"] >= 3 for row in read_metrics(self.run.metrics)):
            self.stopped_at = time.time()
            os.kill(read_starts(self.run.attempt(1))[1]["pid"], signal.SIGSTOP)

    def close(self) -> None:
        return


def undisturbed(run_dir: str) -> None:
    entrypoints.train(run_dir)


def asleep_in_the_evaluation(run_dir: str) -> None:
    """As a rank whose data loader or file system does not answer, outside of any collective."""
    from ftdist.train import evaluator

    held_out_loss = vars(evaluator)["held_out_loss"]

    def fall_asleep(*args: Any, **kwargs: Any) -> Any:
        if read_rank_info().rank == 1 and os.environ[ATTEMPT] == "1":
            time.sleep(600)
        return held_out_loss(*args, **kwargs)

    vars(evaluator)["held_out_loss"] = fall_asleep
    entrypoints.train(run_dir)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, ingredients: Path) -> RunDir:
    return train(tmp_path_factory.mktemp("whole") / "r", ingredients, undisturbed)


def assert_equal_after_a_hang(run: RunDir, whole: RunDir) -> str:
    """The cause of the first attempt's end, once all else is as it should be."""
    first, second = (e for e in run.read_events() if e["event"] == "attempt_finished")
    assert (first["outcome"], second["outcome"]) == ("requeue", "done")
    assert "76" in first["exit_codes"]
    assert first["rank"] == 1
    assert curve(run) == curve(whole)
    assert state_hash(run, step=STEPS) == state_hash(whole, step=STEPS)
    for number in (1, 2):
        for start in read_starts(run.attempt(number)).values():
            assert not psutil.pid_exists(start["pid"])
            assert not psutil.pid_exists(start["watchdog"])
    return str(first["cause"])


@pytest.mark.slow
@pytest.mark.fault("L5", "M8")
@pytest.mark.timeout(600)
def test_a_stopped_rank_is_found_and_the_run_goes_on(
    tmp_path: Path, ingredients: Path, whole: RunDir
) -> None:
    act = Act(stops=True)
    run = train(tmp_path / "r", ingredients, undisturbed, act=act)
    cause = assert_equal_after_a_hang(run, whole)
    where = "in step|in the evaluation after step|while saving after step"
    assert re.match(rf"Rank 1 on \S+ made no progress for \d+ s ({where}) \d+ \(phase", cause)
    assert cause.endswith("its process was stopped (SIGSTOP).")
    stacks = stacks_file(run.attempt(1)).read_text()
    assert "Rank 0" in stacks
    assert "Rank 1" in stacks
    assert stacks.count("ftdist/train/loop.py") >= RANKS
    (ended, *_) = [e["time"] for e in run.read_events() if e["event"] == "attempt_finished"]
    again = [row["time"] for row in read_metrics(run.metrics) if row["attempt"] == 2]
    print(f"found and ended after {ended - act.stopped_at:.0f} s, next step after "
          f"{min(again) - act.stopped_at:.0f} s")  # fmt: skip


@pytest.mark.slow
@pytest.mark.fault("L6")
@pytest.mark.timeout(600)
def test_a_rank_asleep_outside_of_collectives_is_found_and_the_run_goes_on(
    tmp_path: Path, ingredients: Path, whole: RunDir
) -> None:
    run = train(tmp_path / "r", ingredients, asleep_in_the_evaluation)
    cause = assert_equal_after_a_hang(run, whole)
    assert "in the evaluation after step 3 (phase evaluate): it was in no collective" in cause
    assert "as did" not in cause  # the other rank waited in a collective of DeepSpeed
    assert "fall_asleep" in stacks_file(run.attempt(1)).read_text()
