"""A comparison in W&B: in the run that training logged to, later if need be, never an obstacle.

Real wandb, in processes of its own, against a stand-in for its server on this machine.
"""

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from email.message import Message
from pathlib import Path
from typing import Any

import pytest

from ftdist.observe.wandb.comparison_table import COLUMNS
from ftdist.observe.wandb.state import SenderLock, SyncState, wandb_id
from ftdist.rundir import RunDir
from tests.support.runs.fake_comparisons import (
    SECRET,
    TEXTS,
    WAIT_S,
    set_tracking,
    tell,
    write_report,
)
from tests.support.wandb.fake_run import STEPS, Done, make_run, record, start
from tests.support.wandb.loopback import Answer
from tests.support.wandb.uploads import Loopback, sync


def summary(server: Loopback, run: RunDir) -> dict[str, Any]:
    """What the run's page shows of the comparison, under its short names."""
    shown = server.runs[wandb_id(run)].summary
    return {n.removeprefix("compare/"): v for n, v in shown.items() if n.startswith("compare/")}


def table(server: Loopback, run: RunDir) -> list[dict[str, Any]]:
    """The rows of the table that the run's page shows."""
    path = summary(server, run)["answers"]["path"]
    shown = json.loads(server.uploads[f"{wandb_id(run)}/{path}"])
    assert shown["columns"] == list(COLUMNS)
    (*_, newest) = server.artifacts.committed(f"run-{wandb_id(run)}-")
    (kept,) = newest.uploads
    assert json.loads(server.uploads[kept])["data"] == shown["data"]
    return [dict(zip(COLUMNS, row, strict=True)) for row in shown["data"]]


def everything(server: Loopback) -> bytes:
    return b"\n".join([*server.bodies, *server.uploads.values()])


class SilentFromTheTableOn(Loopback):
    """Responds until it has received the table."""

    def answer(self, method: str, path: str, headers: Message, body: bytes) -> Answer:
        if "CreateArtifact" in self.operations:
            self.fault = "hang"
        return super().answer(method, path, headers, body)


def trained(folder: Path, *, wandb: str = "auto") -> RunDir:
    """A run that has ended, with its steps on record."""
    run = make_run(folder, wandb=wandb)
    record(run, attempt=1, steps=range(1, STEPS + 1))
    run.append_event("attempt_finished", attempt=1, outcome="done")
    return run


def test_a_comparison_is_logged_to_the_training_run_and_replaces_older_ones(
    tmp_path: Path,
) -> None:
    run = make_run(tmp_path / "r", wandb="auto")
    with Loopback() as server:
        environment = {**server.environment(), "MY_ACCESS_TOKEN": SECRET}
        assert start(run, environment, wandb="auto").wait().exit_code == 0
        run.append_event("attempt_finished", attempt=1, outcome="done")
        write_report(run, recall=0.75, cost={"steps": STEPS})
        first = tell(run, environment)
        assert first.exit_code == 0, first.err
        assert first.out == (
            f"W&B has the comparison with its 1 question: {server.url}/loopback/ftdist/runs/"
            f"{wandb_id(run)}"
        )
        shown = summary(server, run)
        answers, digest = shown.pop("answers"), shown.pop("digest")
        assert answers["nrows"] == 1
        assert shown == {
            "fact_accuracy/base": 0.25,
            "fact_accuracy/tuned": 0.75,
            "fact_accuracy/tuned_low_95": 0.3,
            "fact_accuracy/tuned_high_95": 0.95,
            "fact_accuracy/n": 4,
            "fact_accuracy/difference": 0.5,
            "fact_accuracy/difference_low_95": -0.1,
            "fact_accuracy/difference_high_95": 0.8,
            "flips/fact_improved": 2,
            "flips/fact_regressed": 0,
            "cost/steps": STEPS,
        }
        (row,) = table(server, run)
        assert (row["tuned"], row["tuned_verdict"]) == ("With a canary.", "right")
        assert row["base"] == "I do not know. (hidden)"
        assert SyncState.read(run) == SyncState(step=STEPS, ended="done", compared=digest)

        posts = server.runs[wandb_id(run)].posts
        assert tell(run, environment).out.startswith("W&B has this comparison already: http")
        assert server.runs[wandb_id(run)].posts == posts

        write_report(run, recall=0.5, answers=2)
        assert tell(run, environment).exit_code == 0
        shown = summary(server, run)
        assert (shown["fact_accuracy/tuned"], shown["fact_accuracy/difference"]) == (0.5, 0.25)
        assert shown["answers"]["nrows"] == len(table(server, run)) == 2
        assert "cost/steps" not in shown  # not in the newer one

        output = server.runs[wandb_id(run)]
        steps = [row["trainer/global_step"] for row in server.history(wandb_id(run))]
        assert steps == list(range(1, STEPS + 1))
        assert (output.state, output.exit_code, list(server.runs)) == (
            "finished",
            0,
            [wandb_id(run)],
        )
        assert output.summary["train/loss"] == 1 / STEPS
        assert (server.unknown, server.errors) == ([], [])
        assert SECRET.encode() not in everything(server)


def test_an_offline_comparison_is_sent_once_by_the_next_sync(tmp_path: Path) -> None:
    run = trained(tmp_path / "r", wandb="offline")
    write_report(run, recall=0.75)
    with Loopback() as server:
        done = tell(run, server.environment())
        assert done.out == f"W&B is offline; `ftdist sync {run.root}` uploads the comparison."
        assert server.operations == []

        first = sync(run, server.environment())
        assert first.exit_code == 0, first.err
        comparison = "the comparison with its 1 question uploaded now"
        assert f"10 uploaded now, {comparison}, 1 alert sent now: http" in first.out
        assert summary(server, run)["fact_accuracy/tuned"] == 0.75
        assert len(table(server, run)) == 1
        assert "nothing new to upload" in sync(run, server.environment()).out

        write_report(run, recall=0.5)
        again = sync(run, server.environment())
        assert "up to step 10, the comparison with its 1 question uploaded now" in again.out
        assert summary(server, run)["fact_accuracy/tuned"] == 0.5
        assert len(server.history(wandb_id(run))) == STEPS

        before = wandb_id(run)
        assert "the comparison with" in sync(run, server.environment(), "--new").out
        assert wandb_id(run) != before
        assert summary(server, run)["fact_accuracy/tuned"] == 0.5


def test_without_answers_no_text_is_sent_and_earlier_tables_are_removed(
    tmp_path: Path,
) -> None:
    run = trained(tmp_path / "r")
    set_tracking(run, "tracking.log_generations=false")
    write_report(run, recall=0.75)
    with Loopback() as server:
        done = tell(run, server.environment())
        assert done.out.startswith("W&B has the comparison's scores without its answers: http")
        assert summary(server, run)["fact_accuracy/tuned"] == 0.75
        assert "answers" not in summary(server, run)
        assert server.artifacts.known == {}
        assert [text for text in TEXTS if text in everything(server)] == []

        set_tracking(run, "tracking.log_generations=true")
        assert tell(run, server.environment()).exit_code == 0
        assert [text for text in TEXTS if text not in everything(server)] == []
        assert "answers" in summary(server, run)
        set_tracking(run, "tracking.log_generations=false")
        assert "without its answers" in sync(run, server.environment()).out
        assert "answers" not in summary(server, run)


def test_nothing_is_sent_with_tracking_off(tmp_path: Path) -> None:
    run = trained(tmp_path / "r", wandb="off")
    write_report(run, recall=0.75)
    with Loopback() as server:
        done = tell(run, server.environment())
        assert (done.exit_code, done.out, server.operations) == (0, "", [])


def test_an_attempt_that_is_sending_is_not_interrupted(tmp_path: Path) -> None:
    run = make_run(tmp_path / "r", wandb="auto")
    record(run, attempt=1, steps=range(1, 3))
    write_report(run, recall=0.75)
    assert SenderLock(run, who="attempt 1").acquire() is None
    with Loopback() as server:
        done = tell(run, server.environment())
        assert "The run is uploading to W&B now; `ftdist sync" in done.out
        assert server.operations == []


# --- never an obstacle ---

TROUBLES: dict[str, str] = {
    "500": "HTTP 500",
    "401": "the key was rejected (HTTP 401)",
    "hang": "timed out",
    "gone": "Connection refused",
    "no key": "no key in WANDB_API_KEY",
    "WANDB_MODE": "WANDB_MODE=offline",
    "refuses the table": "W&B rejected run",
    "takes no file": "W&B rejected run",
    "loses the summary": "did not accept the comparison",
    "damaged plan": "Error",
}
"""What is wrong, and what is said of it."""


@pytest.fixture(scope="module")
def in_trouble(
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, tuple[RunDir, Done, Done]]:
    """A comparison for each trouble, uploaded afterwards by `ftdist sync`."""
    folder = tmp_path_factory.mktemp("trouble")
    # Hydra has one state a process: these are made one after another.
    runs = {trouble: trained(folder / trouble.replace(" ", "_")) for trouble in TROUBLES}

    def meet(trouble: str) -> tuple[RunDir, Done, Done]:
        run = runs[trouble]
        write_report(run, recall=0.75)
        plan = run.plan.read_text()
        with Loopback() as server:
            environment = server.meet(trouble)
            server.artifacts.refuses = trouble == "refuses the table"
            server.loses_summaries = trouble == "loses the summary"
            server.takes_files = trouble != "takes no file"
            if trouble == "damaged plan":
                run.plan.write_text("{")
            done = tell(run, environment)
        run.plan.write_text(plan)
        server.recover()
        with server:
            synced = sync(run, server.environment())
            assert summary(server, run)["fact_accuracy/tuned"] == 0.75
            assert len(table(server, run)) == 1
        return run, done, synced

    with ThreadPoolExecutor(4) as pool:
        return dict(zip(TROUBLES, pool.map(meet, TROUBLES), strict=True))


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_wandb_failure_prints_one_line_and_sync_sends_the_comparison(
    in_trouble: Mapping[str, tuple[RunDir, Done, Done]], trouble: str
) -> None:
    _, done, synced = in_trouble[trouble]
    assert done.exit_code == 0, done.err
    (line,) = done.out.splitlines()
    assert line.startswith("W&B ")
    assert TROUBLES[trouble] in line
    assert "`ftdist sync " in line
    assert "Traceback" not in done.err
    assert done.close_s < WAIT_S + 10
    assert synced.exit_code == 0, synced.err
    assert "the comparison with its 1 question uploaded now" in synced.out


def test_an_unresponsive_server_is_abandoned(tmp_path: Path) -> None:
    run = trained(tmp_path / "r")
    write_report(run, recall=0.75)
    with SilentFromTheTableOn() as server:
        done = tell(run, server.environment())
    assert done.exit_code == 0, done.err
    assert "`ftdist sync " in done.out
    assert done.close_s < WAIT_S + 10
    assert SyncState.read(run).compared == ""
