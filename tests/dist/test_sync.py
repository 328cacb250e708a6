"""`ftdist sync`: what W&B lacks of a run goes there from its record, no step twice.

What it makes of a run whose mirror broke: test_wandb.py.
"""

from pathlib import Path

import pytest

from ftdist.cli.main import main
from ftdist.observe.metrics import read_metrics
from ftdist.observe.wandb.api import WandbError
from ftdist.observe.wandb.state import SenderLock, wandb_id
from ftdist.observe.wandb.sync import sync as send
from tests.support.wandb.fake_run import (
    STEPS,
    as_recorded,
    make_run,
    raw_rows,
    record,
    start,
    without_time,
)
from tests.support.wandb.uploads import NO_KEY, Loopback, by_attempt, sync


def test_sync_sends_each_step_once_or_a_new_run_on_request(
    tmp_path: Path,
) -> None:
    run = make_run(tmp_path / "r", wandb="offline")
    record(run, attempt=1, steps=range(1, 5))
    with Loopback() as server:
        environment = server.environment()
        first = sync(run, environment)
        assert first.exit_code == 0, first.err
        assert "up to step 4, 4 uploaded now: http" in first.out
        output = server.runs[wandb_id(run)]
        assert output.preempting
        record(run, attempt=2, steps=range(3, STEPS + 1))
        run.append_event("attempt_finished", attempt=2, outcome="done")
        assert "up to step 10, 6 uploaded now" in sync(run, environment).out
        rows = as_recorded(server.history(wandb_id(run)))
        assert rows == by_attempt(run, first=4, then=4)
        assert (output.state, output.exit_code) == ("finished", 0)

        posts = output.posts
        assert "up to step 10, nothing new to upload" in sync(run, environment).out
        assert output.posts == posts

        before = wandb_id(run)
        assert "up to step 10, 10 uploaded now" in sync(run, environment, "--new").out
        assert wandb_id(run) != before
        # A run made of the record shows the record: the last attempt's rows.
        shown = server.history(wandb_id(run))
        assert as_recorded(shown) == without_time(read_metrics(run.metrics))
        when = [row["time"] for row in read_metrics(run.metrics)]
        assert [row["_timestamp"] for row in shown] == pytest.approx(when, abs=1e-3)
        assert len(server.history(before)) == STEPS
    assert "/runs/" + wandb_id(run) in (run.wandb / "url").read_text()


def test_an_online_attempt_sends_the_rows_of_offline_ones(tmp_path: Path) -> None:
    run = make_run(tmp_path / "r", wandb="auto")
    record(run, attempt=1, steps=range(1, 7))
    with Loopback() as server:
        done = start(run, server.environment(), wandb="auto", attempt=2, first=4).wait()
        assert done.exit_code == 0, done.err
        rows = as_recorded(server.history(wandb_id(run)))
    assert [row["step"] for row in rows] == list(range(1, STEPS + 1))
    assert [row for row in rows if row not in without_time(raw_rows(run))] == []


def test_sync_problems_are_one_message_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    run = make_run(tmp_path / "r", wandb="offline")
    record(run, attempt=1, steps=range(1, 3))
    with Loopback() as server:
        environment = server.environment()
    for changed, code, problem, remedy in (
        (NO_KEY, 78, "No W&B key in WANDB_API_KEY", "run `wandb login` once"),
        (environment, 69, "W&B is not available at http://127.0.0.1", "HTTPS_PROXY"),
    ):
        for name, value in changed.items():
            monkeypatch.setenv(name, value)
        capfd.readouterr()
        assert main(["sync", str(run.root)]) == code
        output = capfd.readouterr().err.splitlines()
        assert output[0].startswith(problem)
        assert output[1].startswith("To fix: ")
        assert remedy in output[1]
        assert len(output) == 2
        if changed is NO_KEY:
            monkeypatch.undo()


def test_sync_skips_a_run_that_is_being_sent(tmp_path: Path) -> None:
    run = make_run(tmp_path / "r", wandb="online")
    record(run, attempt=1, steps=range(1, 3))
    with Loopback() as server:
        environment = server.environment()
        assert SenderLock(run, who="attempt 1").acquire() is None
        assert send(run, new=False, environment=environment).by_itself
        run.append_event("attempt_finished", attempt=1, outcome="failed")
        other = SenderLock(run, who="ftdist sync")
        assert other.acquire() is None
        with pytest.raises(WandbError, match="Another `ftdist sync` is uploading run r"):
            send(run, new=False, environment=environment)
        assert server.operations == []
