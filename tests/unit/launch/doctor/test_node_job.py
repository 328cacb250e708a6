from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import pytest
from ftdist_launch.doctor import node_job
from ftdist_launch.doctor.cluster_config import JobOptions, cluster_config
from ftdist_launch.doctor.node_job import JobEnd, NodeJob, last_lines, script
from ftdist_launch.doctor.probe_job import job_failed, job_problem
from ftdist_launch.slurm.client import Queue, QueuedJob, SlurmError

from ftdist.errors import ConfigError
from ftdist.io.progress import LogFn
from tests.support.findings import lines

END = JobEnd(
    state="COMPLETED", hosts=("n1", "n2"), reason="", log="", started_s=100.0, ended_s=120.0
)


def job(*overrides: str, folder: Path = Path("/shared/tmp"), gpus: int = 0) -> NodeJob:
    return NodeJob(
        folder=folder,
        module="ftdist.doctor.ranks",
        arguments=("/shared/tmp", "/tmp"),
        nodes=2,
        tasks_per_node=4,
        gpus_per_node=gpus,
        timeout_min=5,
        cluster=cluster_config(JobOptions(overrides=overrides), None),
    )


def test_the_script_asks_for_what_the_cluster_file_says() -> None:
    text = script(
        job(
            "cluster.partition=gpu",
            "cluster.account=team",
            "cluster.qos=long",
            "cluster.exclude=n7",
            "cluster.memory_gib=0",
            "cluster.network_interface=ib0",
            "cluster.environment_modules=[cuda/13.0]",
            "cluster.python=/env/bin/python",
            gpus=4,
        )
    )
    for line in (
        "#SBATCH --nodes=2",
        "#SBATCH --ntasks-per-node=4",
        "#SBATCH --gpus-per-node=4",
        "#SBATCH --time=5",
        "#SBATCH --output=/shared/tmp/job.log",
        "#SBATCH --partition=gpu",
        "#SBATCH --account=team",
        "#SBATCH --qos=long",
        "#SBATCH --exclude=n7",
        "#SBATCH --mem=0G",
        "#SBATCH --no-requeue",
        "export GLOO_SOCKET_IFNAME=ib0",
        "export NCCL_DEBUG=WARN",
        "module load cuda/13.0 || exit 78",
        "exec srun --kill-on-bad-exit=1 --label /env/bin/python -m ftdist.doctor.ranks "
        "/shared/tmp /tmp",
    ):
        assert line in text.splitlines()
    assert "gpus-per-node" not in script(job())
    assert "--account" not in script(job())


def test_the_script_runs_in_the_container_of_the_cluster_file() -> None:
    inside = job("cluster.container=/img.sqsh", "cluster.container_mounts=[/a:/a,/b]")
    assert "--container-image=/img.sqsh --container-mounts=/a:/a,/b " in script(inside)


def test_a_path_that_slurm_would_change_is_refused() -> None:
    with pytest.raises(ConfigError, match="a character that SLURM interprets"):
        script(job(folder=Path("/shared/100%")))


def problem(end: JobEnd, *, has_reports: bool = False) -> list[str]:
    found = job_problem(end, has_reports=has_reports, wait_s=60.0, folder="/shared")
    return [] if found is None else lines([found])


def test_a_job_that_did_not_start_leaves_the_nodes_unchecked() -> None:
    waiting = replace(END, state="WAITING", reason="waiting for free nodes (Resources)")
    assert problem(waiting) == [
        "warn job | not started within 60 s: waiting for free nodes (Resources) | driver, torch "
        "and shared folder of the nodes were not checked | repeat it with --wait 60 (minutes), or "
        "on another --partition"
    ]


def test_a_job_without_log_did_not_see_the_folder() -> None:
    assert problem(replace(END, state="FAILED")) == [
        "fail shared folder | the job ended as FAILED on n1, n2, and left no log in /shared | "
        "compute nodes do not see this folder: no run works from here | work in a folder of the "
        "shared file system, or set run.root"
    ]
    (unknown,) = problem(replace(END, state="UNKNOWN", hosts=()))
    assert "the job ended as UNKNOWN, and left no log in /shared" in unknown


def test_a_failed_job_shows_the_end_of_its_log() -> None:
    log = """\
starting

0: slurmstepd-n1: error: execve(): /env/bin/python: No such file or directory
1: slurmstepd-n2: error: execve(): /env/bin/python: No such file or directory
0: slurmstepd-n1: error: *** STEP 4.0 ON n1 CANCELLED AT 2026-11-30T19:09:47 ***
srun: error: n2: task 1: Exited with exit code 2
srun: error: n1: task 0: Terminated
srun: Force Terminated StepId=4.0
"""
    assert problem(replace(END, state="FAILED", log=log)) == [
        "fail job | the job ended as FAILED: starting; execve(): /env/bin/python: No such file or "
        "directory | runs are rejected or fail in the same way | "
        "repair what it names; the Python environment must be visible on the nodes, or set "
        "cluster.python"
    ]
    assert last_lines("a\nb\n\nc\nd\n") == ["b", "c", "d"]
    assert last_lines("srun: error: n1: task 0: Killed\n") == ["n1: task 0: Killed"]


def test_reports_are_looked_at_however_the_job_ended() -> None:
    assert problem(replace(END, state="FAILED", log="x"), has_reports=True) == []


def test_a_rejected_job_repeats_slurms_words_and_remedy() -> None:
    assert lines([job_failed("SLURM rejected the job: Invalid qos.", remedy="name --qos.")]) == [
        "fail job | SLURM rejected the job: Invalid qos | runs are rejected or fail in the same "
        "way | name --qos"
    ]


class Clock:
    """Time that only sleeping passes."""

    def __init__(self) -> None:
        self.now = 0.0
        self.sleeps: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(node_job, "time", clock)
    return clock


class FakeQueue(Queue):
    """A queue whose answers are prepared; None is no answer, and the last one repeats."""

    def __init__(self, *answers: str | None) -> None:
        object.__setattr__(self, "answers", list(answers))

    def states(self, jobs: Collection[str]) -> dict[str, QueuedJob]:
        answers: list[str | None] = self.__dict__["answers"]
        state = answers.pop(0) if len(answers) > 1 else answers[0]
        if state is None:
            raise SlurmError("`squeue` did not answer.", remedy="retry.")
        return {
            job: QueuedJob(job=job, state=state, reason="Priority", nodes="n1", start="N/A")
            for job in jobs
        }


def wait(queue: Queue, *, log: LogFn, wait_s: float = 3600) -> str:
    return node_job._wait("7", queue=queue, wait_s=wait_s, log=log)[0]


def test_slurm_is_asked_every_5_s_in_the_first_minute_and_then_every_30_s(clock: Clock) -> None:
    assert wait(FakeQueue("PENDING"), log=lambda _: None, wait_s=600) == "WAITING"
    assert clock.sleeps[:12] == [5.0] * 12
    assert set(clock.sleeps[12:]) == {30.0}
    assert len(clock.sleeps) == 12 + 19  # until more than 600 s have passed


def test_a_slurm_that_is_silent_for_minutes_does_not_end_the_job(clock: Clock) -> None:
    lines: list[str] = []
    queue = FakeQueue("RUNNING", *[None] * 12, "PENDING")
    assert wait(queue, log=lines.append, wait_s=100) == "WAITING"
    assert len([line for line in lines if "does not answer" in line]) == 1


def test_a_slurm_that_stays_silent_ends_the_wait(clock: Clock) -> None:
    with pytest.raises(SlurmError):
        wait(FakeQueue("RUNNING", None), log=lambda _: None)
    assert 300 < clock.now < 400
