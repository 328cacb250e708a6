"""Which alerts a run causes, from its records alone."""

import json
from pathlib import Path
from typing import Any

import pytest

from ftdist.io.jsonl import append_json_line
from ftdist.observe.wandb.alerts import (
    AlertSender,
    non_finite_alert,
    outcome_alerts,
    stall_alerts,
)
from ftdist.observe.wandb.state import SyncState
from ftdist.rundir import RunDir
from tests.support.wandb.fake_run import make_config, make_run


def end(attempt: int, outcome: str, **more: Any) -> dict[str, Any]:
    return {"event": "attempt_finished", "attempt": attempt, "outcome": outcome, **more}


REQUEST = {"event": "run_requested"}


@pytest.mark.parametrize(
    ("events", "keys"),
    [
        ([end(1, "done")], ["finished:1"]),
        ([end(1, "requeue"), end(2, "done")], ["finished:2"]),
        ([end(1, "requeue"), end(2, "requeue")], ["preempted:2"]),
        ([end(1, "requeue"), end(2, "requeue"), end(3, "requeue")], ["preempted:2"]),
        ([end(1, "requeue"), end(2, "requeue"), end(3, "crash_loop")], ["preempted:2", "failed:3"]),
        ([end(1, "requeue"), REQUEST, end(2, "requeue")], []),
        ([end(1, "failed"), REQUEST], []),
        ([end(1, "stopped")], []),
        ([], []),
    ],
)
def test_outcomes_since_the_last_request_cause_alerts(
    events: list[dict[str, Any]], keys: list[str]
) -> None:
    assert [alert.key for alert in outcome_alerts(events)] == keys


def test_a_failure_has_its_cause_and_remedy() -> None:
    (alert,) = outcome_alerts([end(2, "failed", cause="Disk full.", remedy="free some space.")])
    assert alert.text.endswith("Disk full. To fix: free some space.")
    assert alert.level == "ERROR"


def test_a_non_finite_loss_or_a_skipped_update_is_an_alert() -> None:
    loss = non_finite_alert({"step": 7, "train/loss": float("inf")})
    skipped = non_finite_alert({"step": 8, "train/loss": 2.0, "train/skipped": 1.0})
    assert loss is not None
    assert loss.text.startswith("The loss of step 7 is inf.")
    assert skipped is not None
    assert (skipped.key, skipped.text[:21]) == ("non_finite:8", "Gradients of step 8 w")
    assert non_finite_alert({"step": 9, "train/loss": 2.0, "train/skipped": 0.0}) is None
    assert non_finite_alert({"step": 9, "eval/general_nll": 2.0}) is None


def test_only_an_open_attempt_stalls_and_each_pause_is_one_alert() -> None:
    begun = [{"event": "attempt_started", "attempt": 1, "time": 100.0}]
    assert stall_alerts(begun, last_row_at=0.0, now=160.0, limit_s=60.0) == []
    (alert,) = stall_alerts(begun, last_row_at=0.0, now=161.0, limit_s=60.0)
    (later,) = stall_alerts(begun, last_row_at=0.0, now=500.0, limit_s=60.0)
    assert alert.key == later.key
    assert alert.text == "Attempt 1 has had no step and no event for 1m01s."
    (other,) = stall_alerts(begun, last_row_at=300.0, now=500.0, limit_s=60.0)
    assert other.key != alert.key
    ended = [*begun, {**end(1, "requeue"), "time": 101.0}]
    assert stall_alerts(ended, last_row_at=0.0, now=1e6, limit_s=60.0) == []


def test_alerts_that_were_sent_or_are_not_wanted_are_not_due(tmp_path: Path) -> None:
    run = make_run(tmp_path / "r", wandb="auto")
    run.append_event("attempt_finished", attempt=1, outcome="done")
    every = AlertSender(run, make_config(tmp_path, wandb="auto"), environment={})
    log_nan(run, (3, 1), (4, 1))
    assert len(every.due(now=0.0)) == 2
    log_nan(run, (9, 2))
    keys = [alert.key for alert in every.due(now=0.0)]
    assert keys == ["finished:1", "non_finite:3", "non_finite:9"]
    (run.wandb / "alerts.json").write_text(json.dumps(["non_finite:3"]))
    assert [alert.key for alert in every.due(now=0.0)] == ["finished:1", "non_finite:9"]
    few = make_config(tmp_path, wandb="auto", more=["tracking.alerts=[failed]"])
    assert AlertSender(run, few, environment={}).due(now=0.0) == []


def test_a_non_finite_loss_is_due_until_it_was_sent_even_if_w_and_b_has_its_row(
    tmp_path: Path,
) -> None:
    run = make_run(tmp_path / "r", wandb="auto")
    config = make_config(tmp_path, wandb="auto")
    log_nan(run, (3, 1))
    SyncState(step=3).write(run)
    for _ in range(2):  # another process each time
        (alert,) = AlertSender(run, config, environment={}).due(now=0.0)
        assert alert.key == "non_finite:3"


def log_nan(run: RunDir, *rows: tuple[int, int]) -> None:
    for step, attempt in rows:
        nan = float("nan")
        append_json_line(run.metrics, {"step": step, "attempt": attempt, "train/loss": nan})
