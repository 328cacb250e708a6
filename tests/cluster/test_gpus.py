"""A GPU that a node claims and does not have: the run moves on, and never trains on CPUs."""

from pathlib import Path

import pytest

from ftdist.errors import DeviceError
from tests.support.slurm.login import Login
from tests.support.slurm.queued_runs import committed, events, submit


@pytest.mark.slow
def test_a_run_leaves_nodes_without_their_gpu_one_by_one_and_ends_with_the_name_of_the_last(
    login: Login, ingredients: Path
) -> None:
    keys = ("cluster.nodes=1", "cluster.device=auto", "cluster.gpus_per_node=1")
    job = submit(login, ingredients, "r", *keys)
    run = login.run("r")
    login.wait_for_state(job, "FAILED", timeout_s=240)

    first, second = events(run, "attempt_started")
    assert first["hosts"] != second["hosts"]
    assert [event["host"] for event in events(run, "node_excluded")] == first["hosts"]
    ends = events(run, "attempt_finished")
    assert [end["outcome"] for end in ends] == ["requeue", "failed"]
    assert [[end["failed_host"]] for end in ends] == [first["hosts"], second["hosts"]]
    assert f"on {second['hosts'][0]} was to train on a GPU, but torch" in ends[1]["cause"]
    assert login.lab.exit_code(job) == DeviceError.exit_code
    assert committed(run) == []
