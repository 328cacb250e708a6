"""The first measured save is held against the time that SLURM gives."""

from dataclasses import replace
from typing import Any

import pytest

from ftdist.train.stop_time import StopTime
from tests.support.runs.fake_runs import some_config

pytestmark = pytest.mark.fault("C12")


def checked(rows: list[dict[str, float]], **cluster: Any) -> tuple[list[str], list[dict[str, Any]]]:
    notes: list[str] = []
    events: list[dict[str, Any]] = []
    watch = StopTime(
        replace(some_config().cluster, **cluster),
        record_event=lambda kind, **fields: events.append({"event": kind, **fields}),
        note=notes.append,
    )
    for row in rows:
        watch.check(row)
    return notes, events


SAVED = {"time/step_s": 10.0, "time/save_total_s": 21.0}


def test_twice_a_step_and_a_save_that_do_not_fit_are_one_warning_with_the_key_to_raise() -> None:
    rows = [{"time/step_s": 10.0}, SAVED, SAVED]
    notes, events = checked(rows, executor="slurm", signal_delay_s=61)
    assert len(notes) == 1
    assert "Set cluster.signal_delay_s=62" in notes[0]  # 2 x (10 + 21)
    assert events == [
        {"event": "signal_delay_too_short", "step_s": 10.0, "save_s": 21.0, "signal_delay_s": 61}
    ]


@pytest.mark.parametrize(
    "cluster",
    [{"executor": "slurm", "signal_delay_s": 62}, {"executor": "local", "signal_delay_s": 1}],
)
def test_what_fits_and_what_has_no_time_limit_is_no_warning(cluster: dict[str, Any]) -> None:
    assert checked([SAVED], **cluster) == ([], [])
