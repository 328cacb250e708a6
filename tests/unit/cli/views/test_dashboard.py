"""The live view of a run: what it shows, and that it fits 80 and 120 columns."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from ftdist_launch.lock import run_lock
from ftdist_launch.slurm.client import Queue
from rich.cells import cell_len
from rich.text import Text

from ftdist.cli.views.dashboard import Screen, dashboard
from ftdist.cli.views.run_details import describe_run
from ftdist.cli.views.run_snapshot import RunReader, RunSnapshot
from ftdist.cli.views.state_text import short_state
from ftdist.rundir import RunDir
from tests.support.runs.watched_runs import watched_run
from tests.support.slurm.records import attempt_finished, attempt_started


def snapshot_of(run: RunDir) -> RunSnapshot:
    return RunReader(run, queue=Queue()).read()


def texts(lines: Sequence[Text]) -> list[str]:
    return [line.plain.rstrip() for line in lines]


def shown(run: RunDir, *, width: int = 80, height: int | None = None) -> list[str]:
    screen = Screen(width=width, height=height, unicode=True)
    return texts(dashboard(snapshot_of(run), screen))


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize("height", [8, 23, 60, None])
@pytest.mark.parametrize("unicode", [True, False])
def test_it_fits_the_terminal(
    tmp_path: Path, width: int, height: int | None, unicode: bool
) -> None:
    run = watched_run(tmp_path / "a-run-with-a-long-name-such-as-sweeps-make", steps=90)
    with run_lock(run):
        lines = dashboard(snapshot_of(run), Screen(width=width, height=height, unicode=unicode))
    assert max(cell_len(line.plain) for line in lines) <= width
    assert height is None or len(lines) <= height
    assert unicode or all(line.plain.isascii() or "…" in line.plain for line in lines)


def test_a_running_run_shows_curve_losses_speed_nodes_and_evaluations(tmp_path: Path) -> None:
    run = watched_run(tmp_path / "r")
    with run_lock(run):
        lines = shown(run, width=120)
    text = "\n".join(lines)
    assert lines[0].startswith("r  running on n1 (attempt 1)")
    assert "step 40/100" in lines[1]
    assert "40%  2h10m left, done about " in lines[1]
    # The last 20 of 1 + 3 exp(-step / 20) have the mean 1.6803.
    assert "loss       1.4060 (mean 1.6803), held-out 1.5250 at step 40" in text
    assert "sources    library 2.000, replay 0.040" in text
    assert "5,000 tokens/s" in text
    assert "peak 38.25 GiB per rank" in text
    assert "least busy node: n2, CPU 71 %, 20.0 GiB of host memory; others 97 %" in text
    assert "base model: facts 1/4, general 1/2; an evaluation takes 1m00s" in text
    assert "step 20: facts 3/4, general 1/2, general loss +0.011 nats" in text
    assert "attempt 1 started from the beginning, on 4 ranks" in text
    assert any("⠁" <= cell <= "⣿" for cell in text)


def test_in_a_low_terminal_the_plot_shrinks_and_no_figure_is_lost(tmp_path: Path) -> None:
    """23 lines: 2 of the header, 9 of figures, 1 event, 1 legend, 1 of x; 9 are left."""
    run = watched_run(tmp_path / "r")
    with run_lock(run):
        lines = shown(run, height=23)
    labels = [line.split()[0] for line in lines]
    figures = ["loss", "sources", "speed", "resources", "evaluation"]
    assert [label for label in labels if label in figures] == ["loss", *figures]
    assert lines[-1].endswith("attempt 1 started from the beginning, on 4 ranks")
    assert sum("┤" in line for line in lines) >= 5


def test_a_run_that_is_over_shows_its_cause_and_the_next_command(tmp_path: Path) -> None:
    end = attempt_finished(1, "failed", cause="The disk is full.") | {"remedy": "free some."}
    run = watched_run(tmp_path / "r", end)
    assert shown(run, width=300)[-3:] == [
        "The disk is full.",
        "To fix: free some.",
        f"Next: ftdist resume {run.cli_name}",
    ]
    done = watched_run(tmp_path / "d", attempt_finished(1, "done"))
    assert shown(done, width=300)[-1] == (
        f"Next: ftdist export {done.cli_name}, then ftdist compare {done.cli_name}"
    )


def test_the_stages_of_an_expert_are_shown_until_all_are_over(tmp_path: Path) -> None:
    names = ["train", "export", "compare"]
    plan = {"event": "stages_planned", "stages": names, "skipped": [], "reused": []}
    events = (attempt_started(1, job=None), attempt_finished(1, "done"))
    run = watched_run(tmp_path / "r", plan, *events)
    with run_lock(run):
        assert "stages     done: train 0s; waiting: export, compare" in shown(run)
        assert not snapshot_of(run).status.is_over
        run.append_event("stage_started", stage="export")
        assert short_state(snapshot_of(run).status) == "at export"
        assert shown(run)[0].startswith("r  done with the training, stage export is running")
    run.append_event("stage_finished", stage="export", exit_code=74, cause="The disk is full.")
    status = snapshot_of(run).status
    assert short_state(status) == "failed"
    assert status.is_over
    text = "\n".join(shown(run, width=300))
    assert "done: train 0s; failed: export 0s; not started: compare" in text
    assert f"Next: ftdist expert {run.cli_name}" in text
    assert "Stage export failed: The disk is full." in describe_run(status, cli_name="r")


def test_a_run_stopped_in_its_comparison_is_not_done(tmp_path: Path) -> None:
    plan = {"event": "stages_planned", "stages": ["train", "compare"], "skipped": [], "reused": []}
    events = (attempt_started(1, job=None), attempt_finished(1, "done"))
    run = watched_run(tmp_path / "r", plan, *events)
    run.append_event("stage_started", stage="compare")
    run.append_event("stage_finished", stage="compare", exit_code=75, cause="It was stopped.")
    assert short_state(snapshot_of(run).status) == "stopped in compare"
    text = "\n".join(shown(run, width=300))
    assert "r  stopped in compare, after the training" in text
    assert "done: train 0s; stopped: compare 0s" in text
    assert f"Next: ftdist expert {run.cli_name}" in text


def test_a_run_without_a_step_yet_has_no_plot(tmp_path: Path) -> None:
    run = watched_run(tmp_path / "r", steps=0)
    assert "The loss curve appears after the second step." in shown(run)


def test_attempts_are_counted_by_their_end(tmp_path: Path) -> None:
    events = (attempt_finished(1, "requeue"), attempt_started(2, job=None, steps=100))
    run = watched_run(tmp_path / "r", *events)
    with run_lock(run):
        assert "attempts   1 restarted, 1 running; the newest started 0s ago" in shown(run)


def test_an_evaluation_that_goes_on_is_shown_with_its_usual_length(tmp_path: Path) -> None:
    run = watched_run(tmp_path / "r")
    run.append_event("evaluation_started", step=41, expected_s=200.0)
    with run_lock(run):
        text = "\n".join(shown(run))
    assert "evaluating after step 41 for 0s, of about 3m20s" in text


def test_the_slowest_rank_is_named_if_it_is_the_same_most_of_the_time(tmp_path: Path) -> None:
    """Steps of 1 s, of which the others wait 0.1 s; with 30 of 40 steps it is just enough."""
    for name, times, expected in (("slow", 30, True), ("mixed", 29, False)):
        run = watched_run(tmp_path / name)
        rows = [json.loads(line) for line in run.metrics.read_text().splitlines()]
        for index, row in enumerate(rows):
            row |= {"throughput/last_rank": 3.0 if index < times else 0.0, "time/rank_lag_s": 0.1}
        run.metrics.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
        text = "\n".join(shown(run))
        line = "slowest rank: 3 on n1, last in 30 of 40 steps by 0.10 s"
        assert (line in text) == expected


def test_only_new_rows_are_read_and_a_torn_one_waits(tmp_path: Path) -> None:
    run = watched_run(tmp_path / "r", steps=2)
    reader = RunReader(run, queue=Queue())
    assert [row["step"] for row in reader.read().rows] == [1, 2]
    row = json.dumps({"step": 3, "attempt": 1, "train/loss": 0.5})
    with run.metrics.open("a") as file:
        file.write(row[:10])
        file.flush()
        assert len(reader.read().rows) == 2
        file.write(row[10:] + "\n")
    assert [row["step"] for row in reader.read().rows] == [1, 2, 3]
