"""`Run.wait()` returns when a run is over, whole or never."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from ftdist_launch.confirmation import Confirmation
from ftdist_launch.run_state import State
from ftdist_launch.status import RunStatus, read_status

from ftdist.api import run as run_module
from ftdist.api.run import Run
from tests.support.slurm.records import Event, attempt_finished, attempt_started, make_run

PLANNED: Event = {
    "event": "stages_planned",
    "stages": ["train", "export"],
    "skipped": (),
    "reused": (),
}


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    slept: list[float] = []
    monkeypatch.setattr(run_module, "time", SimpleNamespace(sleep=slept.append))
    monkeypatch.setattr(
        run_module, "Confirmation", lambda: Confirmation(clock=lambda: sum(slept, 0.0))
    )
    yield slept
    assert len(slept) < 100


def test_a_run_that_was_never_started_is_over_after_a_minute(
    tmp_path: Path, pauses: list[float]
) -> None:
    make_run(tmp_path / "r")
    assert Run(tmp_path / "r").wait(poll_s=25.0).state == "new"
    assert pauses == [25.0] * 3


def test_the_stages_after_training_are_waited_for(
    tmp_path: Path, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "r"
    end = attempt_finished(1, "done")
    trained = read_status(make_run(root, PLANNED, attempt_started(1, job=None), end))
    (train, export) = trained.stages
    assert (trained.state, train.state) == ("done", "done")
    states: list[tuple[State, str]] = [
        ("running", "waiting"),
        ("done", "running"),
        ("done", "done"),
    ]
    seen = [
        replace(trained, state=state, stages=(train, replace(export, state=stage)))  # type: ignore[arg-type]
        for state, stage in states
    ]
    answers = iter(seen)

    def status(_: Run) -> RunStatus:
        return next(answers)

    monkeypatch.setattr(Run, "status", status)
    assert Run(root).wait(poll_s=5.0) is seen[2]
    assert pauses == [5.0, 5.0]
