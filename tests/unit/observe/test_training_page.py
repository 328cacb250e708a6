"""The page of curves: everything of the records, nothing from elsewhere, safe and up to date."""

import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ftdist.io.jsonl import append_json_line
from ftdist.observe import live_page
from ftdist.observe.live_page import LivePage, update
from ftdist.observe.training_events import describe_events, is_training, outcome_of
from ftdist.observe.training_page import write_training_page
from ftdist.rundir import RunDir
from tests.support.wandb.fake_run import make_run


def log(run: RunDir, *, attempt: int, steps: range) -> None:
    for step in steps:
        row = {"step": step, "attempt": attempt, "train/loss": 1 / step, "train/tokens": 100}
        append_json_line(run.metrics, row)


def some_run(folder: Path) -> RunDir:
    run = make_run(folder / "r", wandb="off")
    run.append_event("attempt_started", attempt=1, world_size=2)
    log(run, attempt=1, steps=range(1, 4))
    run.append_event("attempt_finished", attempt=1, outcome="requeue", cause="<b>Node</b> lost.")
    run.append_event("attempt_started", attempt=2, world_size=2, checkpoint=2)
    log(run, attempt=2, steps=range(3, 6))
    return run


def test_the_page_is_one_safe_file_with_curves_over_both_axes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_ACCESS_TOKEN", "canary-0123456789")
    run = some_run(tmp_path / "project")
    cause = f"See {run.root}/jobs/x.log. canary-0123456789"
    run.append_event("requeue_failed", cause=cause)
    page = write_training_page(run, refresh_s=30)
    text = page.read_text()
    assert page == run.report / "training.html"
    assert '<meta http-equiv="refresh" content="30">' in text
    assert "training, attempt 2" in text
    assert "5 of 10" in text
    assert "&lt;b&gt;Node&lt;/b&gt; lost." in text
    assert "<b>Node" not in text
    assert "See ./project/r/jobs/x.log. (hidden)" in text
    assert "canary" not in text
    assert not re.findall(r'(?:src|href)="(?!#)', text)
    assert text.count("<figure>") == 2
    assert str(tmp_path) not in text
    over = {
        "training: from 1 at step 1 to 0.2 at step 5",
        "training: from 1 at tokens 100 to 0.2 at tokens 500",
    }
    assert all(words in text for words in over)
    assert text.count("restart") >= 2


def test_a_finished_run_does_not_reload_and_links_to_its_report(tmp_path: Path) -> None:
    run = some_run(tmp_path)
    run.append_event("attempt_finished", attempt=2, outcome="done")
    run.report.mkdir()
    (run.report / "index.html").touch()
    text = write_training_page(run, refresh_s=30).read_text()
    assert 'http-equiv="refresh"' not in text
    assert '<a href="index.html">' in text
    assert "<b>complete</b>" in text


def test_a_run_without_a_step_or_a_plan_has_a_page(tmp_path: Path) -> None:
    run = make_run(tmp_path / "r", wandb="off")
    run.plan.write_text("{")
    assert "No step is recorded yet." in write_training_page(run).read_text()


def test_events_are_listed_newest_first_with_only_the_last_best_checkpoint() -> None:
    events: list[dict[str, Any]] = [
        {"time": 0.0, "event": "attempt_started", "attempt": 1, "world_size": 1},
        {"time": 1.0, "event": "best_checkpoint_updated", "step": 5},
        {"time": 2.0, "event": "best_checkpoint_updated", "step": 9},
        {"time": 3.0, "event": "attempt_finished", "attempt": 1, "outcome": "failed"},
    ]
    assert [line.words for line in describe_events(events)] == [
        "Attempt 1 ends: failed.",
        "Step 9 is the best checkpoint.",
        "Attempt 1 starts on 1 rank, from the beginning.",
    ]
    assert describe_events(events)[0].is_bad
    assert (is_training(events[:3]), is_training(events)) == (True, False)
    assert (outcome_of([]), outcome_of(events)) == ("not started", "failed")


def test_the_page_follows_the_run_and_its_process_ends_with_it(tmp_path: Path) -> None:
    run = some_run(tmp_path)
    page = run.report / "training.html"
    live = LivePage(run, every_s=0.2)
    try:
        _wait_for("5 of 10", page)
        log(run, attempt=2, steps=range(6, 8))
        _wait_for("7 of 10", page)
    finally:
        live.close()


class _Unkillable(subprocess.Popen[bytes]):
    """Like a process that hangs in a file system."""

    def kill(self) -> None:
        pass


def test_a_process_that_cannot_be_killed_does_not_hold_up_the_end_of_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_page, "CLOSE_TIMEOUT_S", 0.1)
    live = LivePage(some_run(tmp_path), every_s=60)
    live.close()
    hung = _Unkillable(["sleep", "20"])
    live._child = hung
    began = time.monotonic()
    live.close()
    assert time.monotonic() - began < 10
    hung.terminate()
    hung.wait()


def test_the_page_outlives_a_failure_of_the_file_system(tmp_path: Path) -> None:
    run = some_run(tmp_path)
    good = run.metrics.rename(tmp_path / "good")
    run.metrics.symlink_to("x" * 300)  # asking for its size is an error
    assert update(run, drawn=(1,), refresh_s=60) == (1,)
    good.replace(run.metrics)
    assert len(update(run, drawn=(1,), refresh_s=60)) == 2
    assert "5 of 10" in (run.report / "training.html").read_text()


PARENT = """
import os, sys
from pathlib import Path
from ftdist.io.jsonl import append_json_line
from ftdist.observe import live_page
from ftdist.observe.live_page import LivePage, update
from ftdist.rundir import RunDir
live = LivePage(RunDir(Path(sys.argv[1])), every_s=60)
print(live._child.pid, flush=True)
os._exit(9)
"""


def test_a_killed_rank_leaves_no_process_behind(tmp_path: Path) -> None:
    run = some_run(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", PARENT, str(run.root)],
        stdout=subprocess.PIPE, text=True, timeout=60, check=False,
    )  # fmt: skip
    pid = int(done.stdout)
    deadline = time.monotonic() + 30
    while Path(f"/proc/{pid}").exists() and _state(pid) != "Z":
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2]
    except OSError:
        return "Z"


def _wait_for(words: str, page: Path) -> None:
    deadline = time.monotonic() + 60
    while not (page.exists() and words in page.read_text()):
        assert time.monotonic() < deadline, words
        time.sleep(0.1)
