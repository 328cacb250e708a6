"""Contract 7: a run of which a rank hangs on a node is ended, requeued, and goes on."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest
from ftdist_launch.hangs import is_waiting
from ftdist_launch.slurm.sbatch import FIRST_PORT, PORTS

from ftdist.rundir import RunDir
from tests.support.runs.tiny_runs import curve
from tests.support.slurm.login import Login
from tests.support.slurm.queued_runs import (
    STEPS,
    committed,
    events,
    left_over,
    submit,
    wait_for_ends,
    wait_for_step,
)

PATCH = """
import os, sys, threading, time

def patch():
    while "ftdist.train.loop" not in sys.modules:  # by then the module below is whole
        time.sleep(0.01)
    def fall_asleep(*args, **kwargs):
        time.sleep(600)
    vars(sys.modules["ftdist.train.evaluator"])["held_out_loss"] = fall_asleep

if os.environ.get("SLURM_PROCID") == "1" and os.environ.get("FTDIST_ATTEMPT") == "1":
    threading.Thread(target=patch, daemon=True).start()
"""


def assert_requeued_and_went_on(login: Login, run: RunDir, job: str) -> dict[str, object]:
    """How the first attempt ended, once all else is as it should be."""
    # A busy controller may deliver the end of the first step to the next one, which has its number.
    first, *_, last = events(run, "attempt_finished")
    assert (first["outcome"], last["outcome"]) == ("requeue", "done")
    assert "76" in first["exit_codes"]
    assert (first["rank"], first["failed_host"]) == (1, "node2")
    assert login.lab.starts(job)[-1] == "COMPLETED"
    assert set(login.lab.starts(job)[:-1]) == {"REQUEUED"}
    assert len(curve(run)) == STEPS
    assert committed(run)[-1] == STEPS
    assert left_over(login) == []
    return first


@pytest.mark.slow
@pytest.mark.fault("L5", "M8")
@pytest.mark.timeout(600)
def test_a_stopped_rank_of_one_node_is_killed_and_all_stacks_are_written(
    login: Login, ingredients: Path
) -> None:
    job = submit(login, ingredients, "r", "checkpoint.every_steps=3")
    run = login.run("r")
    wait_for_step(login, run, 5)
    (rank,) = login.lab.ranks("node2")
    os.kill(rank.pid, signal.SIGSTOP)
    stopped = time.time()
    (end,) = wait_for_ends(login, run, 1)[:1]
    login.wait_for_state(job, "COMPLETED", timeout_s=300)

    first = assert_requeued_and_went_on(login, run, job)
    assert str(first["cause"]).startswith("Rank 1 on node2 made no progress for ")
    assert str(first["cause"]).endswith("its process was stopped (SIGSTOP).")
    for node in ("node1", "node2"):
        assert "ftdist/train/loop.py" in (run.attempt(1) / f"stacks-{node}.txt").read_text()
    assert is_waiting((run.attempt(1) / "stacks-node1.txt").read_text())
    print(f"ended {end['time'] - stopped:.0f} s after it was stopped")


@pytest.mark.slow
@pytest.mark.fault("L6")
@pytest.mark.timeout(600)
def test_a_rank_asleep_in_an_evaluation_is_named_and_the_run_goes_on(
    login: Login, ingredients: Path, tmp_path: Path
) -> None:
    patch = tmp_path / "patch"
    patch.mkdir()
    (patch / "sitecustomize.py").write_text(PATCH)
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH="$PYTHONPATH:{patch}" exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    job = submit(
        *(login, ingredients, "r", f"cluster.python={python}", "checkpoint.every_steps=3"),
        *("eval.loss_every_steps=5", "library.held_out_fraction=0.1", "cluster.eval_timeout_s=20"),
    )
    run = login.run("r")
    login.wait_for_state(job, "COMPLETED", timeout_s=400)

    first = assert_requeued_and_went_on(login, run, job)
    assert "in the evaluation after step 5 (phase evaluate): it was in no collective" in str(
        first["cause"]
    )
    assert "fall_asleep" in (run.attempt(1) / "stacks-node2.txt").read_text()
    assert "it waited in a collective" in (run.attempt(1) / "stacks-node1.txt").read_text()


LISTENER = "import socket, time; s = socket.create_server(('', {port})); time.sleep(300)"


@pytest.mark.slow
@pytest.mark.fault("L14")
@pytest.mark.timeout(600)
def test_a_run_whose_port_is_used_meets_at_another_one(login: Login, ingredients: Path) -> None:
    job = submit(login, ingredients, "r", "checkpoint.every_steps=0")
    port = FIRST_PORT + int(job) * 10 % PORTS
    command = f'{sys.executable} -c "{LISTENER.format(port=port)}" >/dev/null 2>&1 & echo $!'
    login.lab.exec("node1", "bash", "-c", command)
    run = login.run("r")
    try:
        login.wait_for_state(job, "COMPLETED", timeout_s=400)
    finally:
        login.lab.exec("node1", "pkill", "-f", f"create_server.*{port}")

    first, *_, last = events(run, "attempt_finished")
    assert (first["outcome"], last["outcome"]) == ("requeue", "done")
    assert first["cause"] == f"Port {port} of node1 is used by another program."
    assert left_over(login) == []
