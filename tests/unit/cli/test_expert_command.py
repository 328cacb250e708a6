"""`ftdist expert --dry-run`: the numbers that it shows are those of the run."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ftdist_launch.expert.schedule import schedule

from ftdist.cli.commands import expert
from ftdist.config.saved_config import save_config
from ftdist.config.schema import RunConfig
from tests.unit.launch.expert.test_schedule import request_in, run_until


class PlannedError(Exception):
    """Ends the command once it plans."""


@pytest.mark.parametrize("stages", [("curate", "prepare"), ("curate", "prepare", "train")])
def test_a_dry_run_plans_with_the_numbers_that_the_run_was_planned_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stages: tuple[str, ...]
) -> None:
    request = request_in(tmp_path)
    assert request.config.batch.tokens == "auto"
    run = run_until(request, *stages)
    batch = replace(request.config.batch, tokens=1792)
    save_config(replace(request.config, batch=batch), run.config)
    used: list[tuple[str, RunConfig]] = []

    def plans(name: str) -> Any:
        def plan(*given: Any, **_: Any) -> None:
            used.append((name, given[-1]))
            raise PlannedError

        return plan

    for name in ("plan_run", "replan"):
        monkeypatch.setattr(expert, name, plans(name))
    with pytest.raises(PlannedError):
        expert._print_dry_run(request, schedule(request))
    ((name, config),) = used
    assert (name, config.batch.tokens) == ("replan" if "train" in stages else "plan_run", 1792)
