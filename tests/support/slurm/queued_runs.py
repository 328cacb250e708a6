"""Queued runs, and the ways in which they are stopped."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ftdist.checkpoint.store import CheckpointStore
from ftdist.observe.metrics import read_metrics
from ftdist.rundir import RunDir
from tests.support.runs.tiny_runs import curve, state_hash
from tests.support.slurm.login import Login
from tests.support.slurm.processes import NodeProcess

STEPS = 60
"""Some seconds: long enough to be caught in the midst of them."""


def submit(login: Login, ingredients: Path, name: str, *overrides: str) -> str:
    """Submit a tiny run, a rank on each of two nodes; the number of its training job."""
    asked = [
        f"model.path={ingredients / 'model'}",
        f"library.path={ingredients / 'library'}",
        f"library.cache_dir={ingredients / 'cache'}",
        f"run.name={name}",
        f"train.steps={STEPS}",
        "eval.loss_every_steps=0",
        "model.dtype=float32",
        "batch.sequence_length=128",
        "batch.tokens=512",
        "optim.peak_lr=3e-3",
        "checkpoint.every_steps=0",
        "tracking=off",
        "cluster=slurm",
        "cluster.nodes=2",
        "cluster.tasks_per_node=1",
        "cluster.cpus_per_task=1",
        "cluster.device=cpu",
    ]
    changed = {override.partition("=")[0] for override in overrides}
    kept = [key for key in asked if key.partition("=")[0] not in changed]
    login("submit", *kept, *overrides)
    return login.job(name)


def events(run: RunDir, kind: str) -> list[dict[str, Any]]:
    """What happened of one kind, oldest first."""
    return [event for event in run.read_events() if event["event"] == kind]


def committed(run: RunDir) -> list[int]:
    """Steps of the committed checkpoints, oldest first."""
    return sorted(each.step for each in CheckpointStore(run.checkpoints, keep=1).committed())


def wait_for_step(login: Login, run: RunDir, step: int) -> None:
    """Wait until a step has been made."""

    def made() -> bool:
        return any(row["step"] >= step for row in read_metrics(run.metrics))

    login.wait_until(made, what=f"step {step} of run {run.name}")


def wait_for_ends(login: Login, run: RunDir, count: int) -> list[dict[str, Any]]:
    """Wait until some attempts have ended, and return how."""
    what = f"end of {count} attempts of run {run.name}"
    login.wait_until(lambda: len(events(run, "attempt_finished")) >= count, what=what)
    return events(run, "attempt_finished")


@contextmanager
def standing_still(rank: NodeProcess) -> Iterator[None]:
    """Keep a rank, and so all that wait for it, from going on within a `with` block.

    SLURM wakes it: a notice to stop is a SIGCONT, then the signal that the job has asked for.
    """
    os.kill(rank.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(rank.pid, signal.SIGCONT)


def wait_for_stop(login: Login, run: RunDir) -> dict[str, Any]:
    """Wait until a run has saved because it was asked to stop, and return that event."""
    login.wait_until(
        lambda: bool(events(run, "training_stopped")), what=f"a stop of run {run.name}"
    )
    return events(run, "training_stopped")[0]


def assert_equal(run: RunDir, other: RunDir) -> None:
    """Every step's figures and the final state are equal, bit for bit."""
    assert len(curve(run)) == STEPS
    assert curve(run) == curve(other)
    assert state_hash(run, step=STEPS) == state_hash(other, step=STEPS)


def left_over(login: Login) -> list[NodeProcess]:
    """What still runs on any node of the cluster once SLURM says that all jobs have ended."""
    lab = login.lab
    # `sinfo` may call a node mixed for minutes after its last job has ended; `squeue` is right.
    login.wait_until(lambda: not lab.queue(), what="an empty queue")
    return [process for node in lab.nodes for process in lab.processes(node)]
