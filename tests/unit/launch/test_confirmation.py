"""A run is lost, or never started, only after a minute of looks that agree."""

from dataclasses import replace
from pathlib import Path

import pytest
from ftdist_launch.confirmation import Confirmation
from ftdist_launch.run_state import State
from ftdist_launch.status import read_status

from tests.support.slurm.records import make_run


@pytest.mark.parametrize("state", ["new", "lost"])
def test_a_run_is_over_only_after_a_minute_of_the_same_answer(tmp_path: Path, state: State) -> None:
    clock = [0.0]
    confirmation = Confirmation(clock=lambda: clock[0])
    status = read_status(make_run(tmp_path / "r"))
    seen: list[tuple[float, State]] = [
        *((0.0, state), (59.0, state), (62.0, "running"), (70.0, state), (129.0, state)),
        *((131.0, state), (132.0, "done")),
    ]
    over = []
    for clock[0], now in seen:
        over.append(confirmation.is_over(replace(status, state=now)))
    assert over == [False, False, False, False, False, True, True]
