"""Where a run stands: a table of records and queues, and SLURM's words in plain ones."""

import json
from pathlib import Path
from typing import Any

import pytest
from ftdist_launch.run_records import TAIL_BYTES, newest_metrics, read_records
from ftdist_launch.slurm.client import Queue, QueuedJob, SlurmError
from ftdist_launch.slurm.job_status import QueueSnapshot
from ftdist_launch.slurm.reason_text import REASONS, end, why
from ftdist_launch.status import look, open_jobs, read_all, read_status, status_of

from tests.support.slurm_records import (
    PREPARED,
    SUBMITTED,
    Event,
    asked,
    cancelled,
    ended,
    launched,
    made,
    records,
    runs,
    seen,
    stage_ended,
    submitted,
    waits,
)

# Runs on a machine of one's own


@pytest.mark.parametrize(
    ("events", "held", "state"),
    [
        ((), False, "new"),
        ((asked("train"),), True, "running"),
        ((asked("train"),), False, "new"),
        ((asked("train"), launched(1, job=None)), True, "running"),
        ((asked("train"), launched(1, job=None)), False, "lost"),
        ((launched(1, job=None), ended(1, "requeue")), True, "running"),
        ((launched(1, job=None), ended(1, "requeue")), False, "lost"),
        ((launched(1, job=None), ended(1, "done")), False, "done"),
        ((launched(1, job=None), ended(1, "done")), True, "done"),  # it is being exported
        ((launched(1, job=None), ended(1, "stopped")), False, "stopped"),
        ((launched(1, job=None), ended(1, "failed")), False, "failed"),
        ((launched(1, job=None), ended(1, "crash_loop")), False, "crash_loop"),
        ((launched(1, job=None), ended(1, "failed"), asked("resume")), True, "running"),
        ((launched(1, job=None), ended(1, "failed"), asked("resume")), False, "failed"),
        ((launched(1, job=None), ended(1, "failed"), launched(2, job=None)), True, "running"),
    ],
)
def test_state_of_a_run_on_this_machine(events: tuple[Event, ...], held: bool, state: str) -> None:
    assert status_of(records(*events, held=held), seen=QueueSnapshot()).state == state


# Runs on a cluster

TABLE: list[tuple[tuple[Event, ...], QueueSnapshot, str, str | None]] = [
    (
        SUBMITTED,
        seen(waits("11", "Priority"), waits("12", "Dependency")),
        "pending",
        "waits for job 11, which prepares the library (Dependency); job 11 waits in the queue "
        "behind jobs of higher priority (Priority)",
    ),
    (
        SUBMITTED,
        seen(runs("11"), waits("12", "Dependency")),
        "preparing",
        "waits for job 11, which prepares the library (Dependency); job 11 runs on n[1-2] "
        "(RUNNING)",
    ),
    (
        PREPARED,
        seen(waits("12", "Resources", start="2026-11-24T01:00:00")),
        "pending",
        "waits in the queue for free nodes (Resources), expected to start at 2026-11-24T01:00:00",
    ),
    (
        PREPARED,
        seen(runs("12", "CONFIGURING")),
        "running",
        "its job starts up on n[1-2] (CONFIGURING)",
    ),
    (
        (*PREPARED, launched(1)),
        seen(runs("12", "COMPLETING")),
        "running",
        "its job is ending on n[1-2] (COMPLETING)",
    ),
    (
        (*PREPARED, launched(1), cancelled(now=True)),
        seen(runs("12")),
        "running",
        "it was cancelled",
    ),
    (PREPARED, seen(runs("12")), "running", None),
    ((*PREPARED, launched(1)), seen(runs("12")), "running", None),
    (
        (*PREPARED, launched(1), cancelled()),
        seen(runs("12")),
        "running",
        "it was asked to save and end",
    ),
    (
        (*PREPARED, launched(1), ended(1, "requeue")),
        seen(runs("12", "COMPLETING")),
        "restarting",
        "is ending on n[1-2] (COMPLETING)",
    ),
    (
        (*PREPARED, launched(1), ended(1, "requeue")),
        seen(waits("12", "BeginTime")),
        "restarting",
        "restarts soon (BeginTime)",
    ),
    # SLURM took its nodes away, and no script could say so.
    (
        (*PREPARED, launched(1)),
        seen(waits("12", "Resources")),
        "restarting",
        "waits in the queue for free nodes (Resources)",
    ),
    ((*PREPARED, launched(1), ended(1, "requeue"), launched(2)), seen(runs("12")), "running", None),
    ((*PREPARED, launched(1), ended(1, "done")), seen(runs("12", "COMPLETING")), "done", None),
    ((*PREPARED, launched(1), ended(1, "stopped")), seen(), "stopped", None),
    ((*PREPARED, launched(1), ended(1, "failed")), seen(), "failed", None),
    ((*PREPARED, launched(1), ended(1, "crash_loop")), seen(), "crash_loop", None),
    ((*SUBMITTED, stage_ended("prepare", "11", 78, "No rows.")), seen(), "failed", None),
    ((*PREPARED, stage_ended("train", "12", 78, "Other code.")), seen(), "failed", None),
    ((*PREPARED, stage_ended("train", "12", 99, "In vain.")), seen(), "crash_loop", None),
    ((*PREPARED, cancelled()), seen(), "stopped", None),
    ((*PREPARED, launched(1), cancelled()), seen(), "stopped", None),
    ((*PREPARED, launched(1)), seen(), "lost", None),
    (
        (*PREPARED, launched(1)),
        seen(accounts={"12": ["NODE_FAIL", "TIMEOUT"]}),
        "lost",
        "SLURM says of job 12, which trains: it ran into its time limit (TIMEOUT)",
    ),
    (
        SUBMITTED,
        seen(accounts={"11": ["OUT_OF_MEMORY"], "12": ["CANCELLED"]}),
        "lost",
        "SLURM says of job 11, which prepares the library: its nodes ran out of memory "
        "(OUT_OF_MEMORY), as its log tells: --stage prepare; so job 12, which trains, never "
        "started",
    ),
    (
        (
            *(*PREPARED, launched(1), ended(1, "requeue")),
            {"event": "requeue_failed", "cause": "`scontrol` gave no answer."},
        ),
        seen(),
        "lost",
        "SLURM refused to start it again: `scontrol` gave no answer.",
    ),
    # Resumed: what earlier jobs did is past.
    (
        (
            *(*PREPARED, launched(1), cancelled(), ended(1, "stopped")),
            *(asked("resume"), submitted("train", "15")),
        ),
        seen(waits("15", "QOSMaxJobsPerUserLimit")),
        "pending",
        "held back because you run as many jobs as your QOS allows (QOSMaxJobsPerUserLimit)",
    ),
    # SLURM does not answer: the run's own records.
    (SUBMITTED, seen(problem="No answer."), "pending", None),
    ((*PREPARED, launched(1)), seen(problem="No answer."), "running", None),
    ((*PREPARED, launched(1), ended(1, "requeue")), seen(problem="-"), "restarting", None),
    ((*PREPARED, launched(1), ended(1, "done")), seen(problem="-"), "done", None),
]


@pytest.mark.parametrize(("events", "slurm", "state", "told"), TABLE)
def test_state_of_a_run_on_a_cluster_and_what_it_waits_for(
    events: tuple[Event, ...], slurm: QueueSnapshot, state: str, told: str | None
) -> None:
    status = status_of(records(*events), seen=slurm)
    assert (status.state, status.why) == (state, told)


def test_a_run_of_a_cluster_that_goes_on_here_is_told_by_what_it_does_here() -> None:
    there = (*PREPARED, launched(1), ended(1, "stopped"))
    here = (*there, asked("resume"), launched(2, job=None))
    assert status_of(records(*here, held=True), seen=seen()).state == "running"
    assert status_of(records(*here, ended(2, "done")), seen=seen()).state == "done"
    back = (*here, ended(2, "stopped"), asked("resume"), submitted("train", "13"))
    assert status_of(records(*back), seen=seen(waits("13", "Resources"))).state == "pending"


def test_it_says_where_slurm_does_not_answer() -> None:
    on_going, over = (*PREPARED, launched(1)), (*PREPARED, launched(1), ended(1, "done"))
    silent = seen(problem="`squeue` gave no answer within 30 s.")
    assert status_of(records(*on_going), seen=silent).note == (
        "SLURM does not answer: `squeue` gave no answer within 30 s. "
        "This is what the run itself has on record."
    )
    assert status_of(records(*over), seen=silent).note is None


def test_the_first_failing_rank_is_told_with_its_remedy() -> None:
    events = (*PREPARED, launched(1), ended(1, "failed", cause="The disk is full.", rank=3))
    status = status_of(records(*events, remedies={"The disk is full.": "free some."}), seen=seen())
    assert (status.error, status.remedy) == ("The disk is full.", "free some.")
    assert (status.attempts[0].rank, status.attempts[0].hosts) == (3, ("n1", "n2"))
    again = status_of(records(*events, asked("resume"), launched(2)), seen=seen(runs("12")))
    assert (again.error, again.remedy) == (None, None)


@pytest.mark.parametrize(
    ("events", "slurm", "over_told"),
    [
        (
            (),
            seen(waits("20", "Dependency"), runs("12")),
            (False, "waits for job 12, which trains"),
        ),
        ((), seen(runs("20")), (False, "runs on n[1-2] (RUNNING)")),
        ((stage_ended("export", "20", 0),), seen(), (True, "done")),
        ((stage_ended("export", "20", 74, "No room."),), seen(), (True, "failed: No room.")),
        ((), seen(accounts={"20": ["TIMEOUT"]}), (True, "it ran into its time limit (TIMEOUT)")),
        ((), seen(), (True, "gone from the queue")),
        ((), seen(problem="-"), (False, "not known")),
    ],
)
def test_jobs_beside_the_training_are_told_too(
    events: tuple[Event, ...], slurm: QueueSnapshot, over_told: tuple[bool, str]
) -> None:
    before = (*PREPARED, launched(1), submitted("export", "20", "12"))
    status = status_of(records(*before, *events), seen=slurm)
    (job,) = [job for job in status.jobs if job.stage == "export"]
    assert (job.over, job.told.removesuffix(" (Dependency)")) == over_told
    assert [job.stage for job in status.jobs] == ["prepare", "train", "export"]


def test_only_jobs_without_an_end_on_record_are_asked_for() -> None:
    done = (*PREPARED, launched(1), ended(1, "done"))
    assert open_jobs(records(*SUBMITTED)) == ["11", "12"]
    assert open_jobs(records(*PREPARED)) == ["12"]
    assert open_jobs(records(*done)) == []
    assert open_jobs(records(*done, submitted("export", "20"))) == ["20"]
    resumed = (*done, asked("resume"), submitted("train", "15"))
    assert open_jobs(records(*resumed)) == ["15"]
    assert open_jobs(records(launched(1, job=None))) == []
    # Asked anew before its library was prepared: that job is past, and nobody waits for it.
    anew = (*SUBMITTED, cancelled(), asked("resume"), submitted("train", "15", "14"))
    assert open_jobs(records(*anew)) == ["15"]


# Words


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("None", "waits in the queue, and SLURM has not looked at it yet (None)"),
        ("BeginTime", "restarts soon (BeginTime)"),
        ("QOSMaxBillingPerUser", "held back because it would take more than your QOS allows"),
        ("QOSGrpGRES", "held back because all users of its QOS together use what it allows"),
        ("QOSUsageThreshold", "held back by a limit of its QOS (QOSUsageThreshold)"),
        ("AssocGrpGRES", "held back because all users of its account together use what it"),
        ("AssocMaxWallDurationPerJobLimit", "held back by a limit of its account"),
        ("ReqNodeNotAvail, UnavailableNodes:n[1-2]", "waits for nodes that are down, or kept for"),
        ("launch_failed_requeued_held", "held back because it could not be started"),
        ("SomethingNew", "waits in the queue (SomethingNew)"),
    ],
)
def test_slurms_reasons_in_plain_words_with_its_own_beside_them(reason: str, words: str) -> None:
    told = why(waits("1", reason))
    assert told.startswith(words)
    assert told.endswith(f"({reason})")


def test_every_reason_has_words_of_its_own() -> None:
    assert len(set(REASONS.values())) >= len(REASONS) - 1
    assert all(words[0].islower() and not words.endswith(".") for words in REASONS.values())


def test_jobs_that_one_waits_for_are_named() -> None:
    job, stages = waits("3", "Dependency"), {"1": "prepare"}
    assert why(job) == "waits for another job (Dependency)"
    assert why(job, after=["2", "1"], stages=stages) == (
        "waits for job 1, which prepares the library, and job 2 (Dependency)"
    )
    assert why(QueuedJob(job="1", state="REQUEUED", reason="None", nodes="", start="")) == (
        "waits in the queue (REQUEUED)"
    )
    assert end(["PREEMPTED", "NEW_WORD"]) == "it ended (NEW_WORD)"


# Records


def test_the_newest_row_is_found_at_the_end_of_a_long_file(tmp_path: Path) -> None:
    run = made(tmp_path / "r")
    assert newest_metrics(run) == {}
    rows = [json.dumps({"step": step, "train/loss": 2.0}) for step in range(TAIL_BYTES // 20)]
    held_out = json.dumps({"step": 9, "eval/held_out_loss": 1.0})
    run.metrics.write_text("\n".join([*rows, held_out, '{"step": 12, "train/lo']))
    assert newest_metrics(run)["step"] == TAIL_BYTES // 20 - 1


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://wandb.example/a/b?c=d\n", "https://wandb.example/a/b?c=d"),
        ("https://a\x1b[2J\n", None),
        ("javascript:x\n", None),
        ("", None),
    ],
)
def test_only_an_address_is_told_as_one(tmp_path: Path, text: str, url: str | None) -> None:
    run = made(tmp_path / "r")
    assert read_records(run).wandb_url is None
    (run.wandb / "url").write_text(text)
    assert read_records(run).wandb_url == url


class FakeQueue(Queue):
    """Answers from a table, and counts the questions."""

    def __init__(self, *jobs: QueuedJob, accounts: dict[str, list[str]] | None = None) -> None:
        super().__init__()
        object.__setattr__(self, "jobs", {job.job: job for job in jobs})
        object.__setattr__(self, "accounts", accounts)
        object.__setattr__(self, "questions", [])

    def states(self, jobs: Any) -> dict[str, QueuedJob]:
        self.questions.append(sorted(jobs))  # type: ignore[attr-defined]
        known: dict[str, QueuedJob] = self.jobs  # type: ignore[attr-defined]
        return {job: known[job] for job in jobs if job in known}

    def accounting(self, jobs: Any) -> dict[str, list[str]]:
        if self.accounts is None:  # type: ignore[attr-defined]
            raise SlurmError("There are no accounts.", remedy="do without.")
        return {job: self.accounts[job] for job in jobs}  # type: ignore[attr-defined]


def test_slurm_is_asked_once_for_all_runs_and_not_for_those_that_are_over(tmp_path: Path) -> None:
    over = made(tmp_path / "a", *PREPARED, launched(1), ended(1, "done"))
    queue = FakeQueue(runs("12"))
    assert read_status(over, queue=queue).state == "done"
    assert queue.questions == []  # type: ignore[attr-defined]
    waiting = made(tmp_path / "b", asked(), submitted("train", "14"))
    running = made(tmp_path / "c", *PREPARED, launched(1))
    states = [status.state for status in read_all([over, waiting, running], queue=queue)]
    assert states == ["done", "lost", "running"]
    assert queue.questions == [["12", "14"]]  # type: ignore[attr-defined]


def test_accounts_are_asked_for_lost_jobs_alone_and_may_be_missing() -> None:
    lost = records(*PREPARED, launched(1))
    assert look([lost], queue=FakeQueue(accounts={"12": ["TIMEOUT"]})).accounts == {
        "12": ["TIMEOUT"]
    }
    assert look([lost], queue=FakeQueue()) == QueueSnapshot()
    assert look([lost], queue=None) == QueueSnapshot(problem="SLURM was not asked.")


def test_a_run_that_ends_while_slurm_is_asked_is_not_lost(tmp_path: Path) -> None:
    run = made(tmp_path / "r", *PREPARED, launched(1))

    class Ending(FakeQueue):
        def states(self, jobs: Any) -> dict[str, QueuedJob]:
            run.append_event("attempt_finished", attempt=1, outcome="done")
            return super().states(jobs)

    assert read_status(run, queue=Ending()).state == "done"
