"""What rank 0 prints: means of losses that alternate, and steps before long evaluations."""

import pytest

from ftdist.io.progress_line import ProgressLine
from ftdist.observe.console import Console, LossMeans

Captured = pytest.CaptureFixture[str]


def row(step: int, loss: float, **sources: float) -> dict[str, float]:
    named = {f"train/loss/{name}": value for name, value in sources.items()}
    return {"step": step, "train/loss": loss, **named}


def test_the_mean_is_steady_where_sources_alternate(capsys: Captured) -> None:
    """Steps of the library at 3.0 and of replay at 0.1: the mean of the last 20 is 1.55."""
    now = [0.0]
    console = Console(total_steps=100, clock=lambda: now[0])
    for step in range(1, 41):
        now[0] += 2.0
        console.show(row(step, 3.0, library=3.0) if step % 2 else row(step, 0.1, replay=0.1))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "step   1/100  loss 3.0000"
    assert lines[1] == "step   2/100  loss 0.1000 (mean 1.5500: library 3.000, replay 0.100)"
    assert lines[-2].endswith("loss 3.0000 (mean 1.5500: library 3.000, replay 0.100)")


def test_many_sources_are_not_listed() -> None:
    means = LossMeans()
    for step in (1, 2):
        means.add(row(step, 2.0, a=1.0, b=1.0, c=1.0, d=1.0, e=1.0))
    assert means.describe() == "mean 2.0000"


def test_a_step_is_printed_before_a_long_evaluation_and_its_result_after_it(
    capsys: Captured,
) -> None:
    now = [0.0]
    console = Console(total_steps=100, clock=lambda: now[0])
    console.announce(row(50, 2.0), expected_s=200.0)
    assert capsys.readouterr().out == (
        "step  50/100  loss 2.0000\nEvaluating after step 50, about 3m20s.\n"
    )
    now[0] = 190.0
    console.show({**row(50, 2.0), "eval/held_out_loss": 2.5})
    assert capsys.readouterr().out == ("step  50/100  held-out loss 2.5000  evaluated in 3m10s\n")
    now[0] = 200.0
    console.show(row(51, 1.0))
    assert capsys.readouterr().out == "step  51/100  loss 1.0000 (mean 1.5000)\n"


def test_an_evaluation_of_unknown_length_is_announced_and_a_short_one_is_not(
    capsys: Captured,
) -> None:
    console = Console(total_steps=100)
    console.announce(row(50, 2.0), expected_s=None)
    assert capsys.readouterr().out.endswith("Evaluating after step 50.\n")
    console = Console(total_steps=100)
    console.announce(row(50, 2.0), expected_s=9.0)
    assert capsys.readouterr().out == ""
    console.show({**row(50, 2.0), "eval/held_out_loss": 2.5})
    assert capsys.readouterr().out == "step  50/100  loss 2.0000  held-out loss 2.5000\n"


def test_long_work_reports_at_least_every_30_s_and_short_work_never() -> None:
    now, lines = [0.0], list[str]()
    progress_line = ProgressLine(lines.append, clock=lambda: now[0])
    progress_line.start("Evaluating after step 50")
    for number in range(100):
        progress_line.report(number, 100, "batches")
        now[0] += 1.0
    assert lines == [
        "Evaluating after step 50: 25 of 100 batches, 25s so far.",
        "Evaluating after step 50: 50 of 100 batches, 50s so far.",
        "Evaluating after step 50: 75 of 100 batches, 1m15s so far.",
    ]
    progress_line.start("Evaluating after step 51")
    progress_line.report(9, 10, "batches")
    assert len(lines) == 3
