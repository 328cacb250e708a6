"""Submitting the chain of `ftdist expert`: twice at once, rejected, accepted with an error."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ftdist_launch.expert import cluster
from ftdist_launch.expert.cluster import submit_expert
from ftdist_launch.expert.request import ExpertRequest
from ftdist_launch.expert.stages import STAGES, read_stages
from ftdist_launch.lock import run_lock
from ftdist_launch.setup.run_setup import make_run_dir
from ftdist_launch.slurm.client import Queue, SlurmError
from ftdist_launch.status import read_status

from ftdist.errors import ConfigError
from ftdist.rundir import RunDir
from tests.unit.launch.expert.test_schedule import request_in, run_until

Command = Callable[[str, str], None]


@pytest.fixture
def request_of(tmp_path: Path, command: Command) -> Callable[..., ExpertRequest]:
    """Requests of run w; jobs 1, 2, ... are accepted and stay in the queue until cancelled."""
    jobs = tmp_path / "jobs"
    jobs.touch()
    command("srun", "exit 0")
    command("sbatch", f'echo x >> {jobs}; echo "Submitted batch job $(wc -l < {jobs})"')
    command("squeue", f"seq $(wc -l < {jobs}) | sed 's/$/|PENDING|None||N\\/A/'")
    command("scancel", f'echo "$*" >> {tmp_path}/cancelled; : > {jobs}')
    return lambda *words: request_in(tmp_path, "cluster=slurm", *words)


def submit(request: ExpertRequest) -> dict[Any, str]:
    return submit_expert(request, queue=Queue(), log=lambda _: None)


def test_the_second_of_two_commands_submits_nothing_and_removes_nothing(
    request_of: Callable[..., ExpertRequest],
) -> None:
    request = request_of()  # both have found that no run exists
    assert submit(request) == dict(zip(STAGES, "12345", strict=True))
    with pytest.raises(ConfigError, match="jobs in the queue of a cluster: 1, 2, 3, 4, 5"):
        submit(request)
    assert len([e for e in request.run.read_events() if e["event"] == "job_submitted"]) == 5


def test_a_run_that_another_command_has_locked_is_left_alone(
    request_of: Callable[..., ExpertRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one saw the folder that this one made, and was faster to lock it."""
    other = []

    def overtaken(config: Any, **given: Any) -> RunDir:
        run = make_run_dir(config, **given)
        other.append(run_lock(run))
        other[0].__enter__()
        return run

    monkeypatch.setattr(cluster, "make_run_dir", overtaken)
    with pytest.raises(ConfigError, match="is locked by process"):
        submit(request_of())
    other[0].__exit__(None, None, None)
    assert request_of().run.exists()


def test_what_another_command_finished_is_not_done_again(
    tmp_path: Path, request_of: Callable[..., ExpertRequest]
) -> None:
    request = request_of()
    run_until(request, *STAGES)
    assert submit(request) == {}


REJECTS = "echo 'sbatch: error: job submit limit' >&2; exit 1"
TIMES_OUT = "echo 'sbatch: error: Socket timed out on send/recv operation' >&2; exit 1"


def test_a_new_run_is_removed_only_if_slurm_has_accepted_no_job_of_it(
    tmp_path: Path, request_of: Callable[..., ExpertRequest], command: Command
) -> None:
    request = request_of()
    command("sbatch", REJECTS)
    command("squeue", 'echo "8|another run"')
    with pytest.raises(SlurmError, match="job submit limit"):
        submit(request)
    assert not request.run.root.exists()
    assert not (tmp_path / "cancelled").exists()

    command("sbatch", TIMES_OUT)  # and accepted the job
    command("squeue", f'echo "8|another run"; echo "9|{request.run.jobs}"')
    with pytest.raises(SlurmError, match="timed out"):
        submit(request)
    assert (tmp_path / "cancelled").read_text() == "9\n"
    assert read_status(request.run).state == "stopped"

    other = request_of("name=v")
    command("squeue", "exit 1")  # nobody knows
    with pytest.raises(SlurmError, match="timed out"):
        submit(other)
    assert read_status(other.run).state == "stopped"


def test_a_rejected_comparison_leaves_the_run_done_and_its_files_as_they_were(
    request_of: Callable[..., ExpertRequest], command: Command
) -> None:
    request = request_of()
    run = run_until(request, *STAGES)
    files = (run.config, run.expert, run.plan)
    before = [path.read_text() for path in files]
    command("sbatch", REJECTS)
    command("squeue", "exit 0")
    with pytest.raises(SlurmError, match="job submit limit"):
        submit(request_of("eval.max_new_tokens=9"))
    assert [path.read_text() for path in files] == before
    status = read_status(run)
    assert (status.state, status.is_over) == ("done", True)
    compare = read_stages(run)[-1]
    assert compare.state == "cancelled"
    assert "job submit limit" in str(compare.problem)


def test_a_run_to_be_prepared_again_has_no_plan(request_of: Callable[..., ExpertRequest]) -> None:
    run = run_until(request_of(), "curate", "prepare")
    submit(request_of("optim.peak_lr=1e-3"))
    assert not run.plan.exists()
