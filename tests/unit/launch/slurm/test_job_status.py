"""SLURM's reasons explained."""

import pytest
from ftdist_launch.slurm.client import QueuedJob
from ftdist_launch.slurm.waiting_reasons import REASONS
from ftdist_launch.status import status_of

from tests.support.slurm.records import (
    PREPARED,
    SUBMITTED,
    job_submitted,
    queue_snapshot,
    records,
    running_job,
    waiting_job,
)


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        ("None", "waiting in the queue (PENDING)"),
        ("BeginTime", "restarting soon (BeginTime)"),
        ("Priority", "waiting behind jobs of higher priority (Priority)"),
        ("QOSMaxJobsPerUserLimit", "waiting: you run as many jobs as your QOS allows (QOSMaxJobs"),
        ("QOSGrpGRES", "waiting: all jobs of your QOS use as much of the GPUs as it allows"),
        ("QOSMaxGRESPerUser", "waiting: you use as much of the GPUs as your QOS allows"),
        (
            "AssocGrpCPUMinutesLimit",
            "waiting: your account has used up its budget of CPU core time",
        ),
        ("QOSMaxWallDurationPerJobLimit", "will not start: it asks for more time per job than"),
        ("AssocMaxNodePerJobLimit", "will not start: it asks for more nodes per job than your ac"),
        ("QOSMinGRES", "will not start: it asks for less of the GPUs than your QOS requires"),
        (
            "ReqNodeNotAvail, UnavailableNodes:n[1-2]",
            "waiting for nodes that are down or reserved (ReqNodeNotAvail, Unavailab",
        ),
        ("launch_failed_requeued_held", "held: a node could not start it; `scontrol release` re"),
        ("SomethingNew", "waiting in the queue (SomethingNew)"),
    ],
)
def test_common_reasons_are_explained_and_slurms_code_is_always_shown(
    reason: str, text: str
) -> None:
    assert reason_of(waiting_job("12", reason)).startswith(text)


def reason_of(job: QueuedJob) -> str:
    """Why a run waits whose training job is this one."""
    reason = status_of(records(*PREPARED), snapshot=queue_snapshot(job)).reason
    assert reason is not None
    return reason


def test_every_explanation_is_different() -> None:
    assert len(set(REASONS.values())) == len(REASONS)
    assert all(text[0].islower() and not text.endswith(".") for text in REASONS.values())


def test_jobs_that_one_depends_on_are_named() -> None:
    assert reason_of(waiting_job("12", "Dependency")) == "waiting for another job (Dependency)"
    events = (*SUBMITTED, job_submitted("export", "3", "11", "12"))
    snapshot = queue_snapshot(
        waiting_job("3", "Dependency"), running_job("11"), waiting_job("12", "Dependency")
    )
    jobs = status_of(records(*events), snapshot=snapshot).jobs
    assert jobs[-1].summary == "waiting for job 11 (prepare) and job 12 (train) (Dependency)"
    requeued = QueuedJob(job="12", state="REQUEUED", reason="None", nodes="", start="")
    assert reason_of(requeued) == "waiting in the queue (REQUEUED)"
