"""W&B on a cluster: rank 0 alone sends."""

from pathlib import Path

import pytest

from tests.support.slurm.login import Login
from tests.support.slurm.queued_runs import STEPS, left_over, submit
from tests.support.wandb import reader


@pytest.mark.slow
@pytest.mark.fault("W8")
def test_of_ranks_on_two_nodes_one_writes_the_run_and_each_step_once(
    login: Login, ingredients: Path
) -> None:
    job = submit(login, ingredients, "r", "tracking=offline")
    login.wait_for_state(job, "COMPLETED")
    (log,) = reader.find_logs(login.run("r").wandb)
    rows = [row for row in reader.history(log) if "train/loss" in row]
    assert [row["trainer/global_step"] for row in rows] == list(range(1, STEPS + 1))
    assert reader.exit_code(log) == 0
    assert left_over(login) == []
