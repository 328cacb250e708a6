"""Alerts reach W&B once for each cause, over attempts, a killed rank and `ftdist sync`.

Real wandb, in processes of its own, against a stand-in for its server on this machine.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from ftdist_launch.after_attempt import after_attempt
from ftdist_launch.attempts import Finished

from ftdist.config.saved_config import load_config
from ftdist.observe.wandb.api import find_server
from ftdist.observe.wandb.state import wandb_id
from tests.support.wandb.fake_run import STEPS, make_run, record, start, wait_for
from tests.support.wandb.uploads import Loopback, sync

SECRET = "canary-of-the-environment-0123456789abcdef"


def titles(server: Loopback) -> list[str]:
    return [alert["title"] for alert in server.alerts]


def test_each_alert_is_sent_once_over_attempts(tmp_path: Path) -> None:
    run = make_run(tmp_path / "r", wandb="auto")
    run.append_event("run_requested", by="submit")
    run.append_event("attempt_started", attempt=1)
    with Loopback() as server:
        environment = server.environment()
        limit = ["tracking.stalled_after_s=3.5"]
        first = start(
            run, environment, wandb="auto", last=6, halt=6, trouble="nan,die", more=limit
        )  # fmt: skip
        first.wait_at_halt()
        wait_for(lambda: "Stalled: r" in titles(server))
        first.go_on()
        assert first.wait().exit_code == -9
        assert titles(server) == ["Not finite: r", "Stalled: r"]
        assert "The loss of step 5 is nan." in server.alerts[0]["text"]
        for attempt in (1, 2):
            run.append_event("attempt_finished", attempt=attempt, outcome="requeue", cause=None)
            run.append_event("attempt_started", attempt=attempt + 1)
        more = [*limit, "tracking.alerts=[non_finite,preempted,finished]"]
        third = start(
            run, environment, wandb="auto", attempt=3, first=4, trouble="nan", more=more
        ).wait()  # fmt: skip
        assert third.exit_code == 0, third.err
        assert titles(server)[2:] == ["Preempted twice: r", "Finished: r"]
        assert {alert["severity"] for alert in server.alerts} == {"ERROR", "WARN", "INFO"}
        assert {alert["runName"] for alert in server.alerts} == {wandb_id(run)}
        run.append_event("attempt_finished", attempt=3, outcome="done")
        done = sync(run, environment)
        assert "nothing new to upload" in done.out, done.err
        assert (len(server.alerts), server.unknown, server.errors) == (4, [], [])


def test_a_failed_run_gets_its_last_rows_its_state_and_an_alert_without_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(tmp_path / "r", wandb="auto")
    run.append_event("attempt_started", attempt=1)
    record(run, attempt=1, steps=range(1, STEPS + 1))
    cause = f"Rank 0 was killed. {SECRET}"
    run.append_event(
        "attempt_finished", attempt=1, outcome="failed", cause=cause, remedy="free memory."
    )
    failed = Finished(outcome="failed", exit_code=1, failure=None, step=None)
    with Loopback() as server:
        for name, value in {**server.environment(), "MY_ACCESS_TOKEN": SECRET}.items():
            monkeypatch.setenv(name, value)
        after_attempt(run, load_config(run.config), failed)
        assert titles(server) == ["Failed: r"]
        assert server.alerts[0]["text"] == (
            "Attempt 1 failed, and the run does not start again. Rank 0 was killed. (hidden) "
            "To fix: free memory."
        )
        assert server.runs[wandb_id(run)].state == "failed"
        assert server.steps(run) == list(range(1, STEPS + 1))
        posts = server.runs[wandb_id(run)].posts
        after_attempt(run, load_config(run.config), failed)
        assert (len(server.alerts), server.runs[wandb_id(run)].posts) == (1, posts)


REAL_ALERT = """
import sys, wandb
run = wandb.init(project="p", id="abc", dir=sys.argv[1], settings=wandb.Settings(silent=True))
run.alert("title", "text", level="WARN", wait_duration=1)
run.finish()
"""


def test_our_alert_is_the_request_that_wandb_makes(tmp_path: Path) -> None:
    with Loopback() as server:
        environment = {**os.environ, **server.environment()}
        subprocess.run(
            [sys.executable, "-c", REAL_ALERT, str(tmp_path)],
            env=environment, check=True, timeout=60,
        )  # fmt: skip
        ours = find_server(environment)
        assert ours is not None
        url = f"{server.url}/loopback/p/runs/abc"
        ours.send_alert(url=url, run_id="abc", title="title", text="text", level="WARN")
        theirs, own = (json.loads(b) for b in server.bodies if b"notifyScriptableRunAlert" in b)
    assert own["variables"] == theirs["variables"]
    assert "".join(own["query"].split()) == "".join(theirs["query"].split()).replace(":$", ":$")
