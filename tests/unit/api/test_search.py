"""A search that continues: trials on disk, trials that cannot start, other drivers."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from ftdist_launch.lock import run_lock
from ftdist_launch.sweeps.records import record_trial
from ftdist_launch.sweeps.scores import HELD_OUT
from ftdist_launch.sweeps.search_records import SearchRecords

from ftdist.api.search import search_space
from ftdist.api.search_state import Search, SearchSettings, as_tried
from ftdist.config.search_space import SearchSpace, read_search_space
from ftdist.errors import ConfigError, FtdistError
from ftdist.rundir import RunDir

KEYS = ["run.name=s", "model.path=/nowhere", "library.path=/nowhere", "run.seed=1,2,3,4"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make_trial(root: Path, number: int, *, loss: float | None, outcome: str = "done") -> RunDir:
    run = RunDir(root / "runs" / f"s-seed-{number}")
    run.create(private=True)
    run.config.write_text("")
    record_trial(run, sweep="s", number=number, swept={"run.seed": str(number)})
    run.append_event("attempt_started", attempt=1, world_size=1, steps=5, host="h", checkpoint=None)
    run.append_event("attempt_finished", attempt=1, outcome=outcome, checkpoint=5)
    row = {"step": 5, "train/loss": 9.0} | ({} if loss is None else {"eval/held_out_loss": loss})
    run.metrics.write_text(json.dumps(row) + "\n")
    return run


def searched(space: SearchSpace, *, trials: int, messages: list[str], seed: int = 1) -> object:
    return search_space(
        space,
        SearchSettings(trials=trials, score=HELD_OUT, seed=seed),
        supervise=lambda *_, **__: pytest.fail("nothing is trained"),
        log=messages.append,
    )


def claim(space: SearchSpace) -> SearchRecords:
    """What an earlier search leaves."""
    records = SearchRecords(space=space, score=HELD_OUT, seed=1)
    with records.exclusive():
        return records


def test_trials_of_an_earlier_search_are_not_repeated(folder: Path) -> None:
    space, messages = read_search_space(KEYS), list[str]()
    records = claim(space)
    make_trial(folder, 1, loss=3.0)
    make_trial(folder, 2, loss=1.0, outcome="failed")
    records.record_failure(number=3, name="s-seed-3", swept={"run.seed": "3"}, cause="no disk")
    result = search_space(
        space,
        SearchSettings(trials=3, score=HELD_OUT),
        supervise=lambda *_, **__: pytest.fail("nothing is trained"),
        log=messages.append,
    )
    assert [(t.number, t.value, t.is_best) for t in result.trials] == [
        (1, 3.0, True),
        (2, 1.0, False),  # lower, but it did not finish
        (3, None, False),
    ]
    assert result.states == {"s-seed-1": "done", "s-seed-2": "failed", "s-seed-3": "failed"}
    assert (messages, result.is_stopped) == ([], False)


def test_a_trial_that_cannot_start_is_recorded_and_the_search_goes_on(folder: Path) -> None:
    space, messages = read_search_space(KEYS), list[str]()
    claim(space)
    make_trial(folder, 1, loss=3.0)
    searched(space, trials=9, messages=messages)
    rows = [json.loads(line) for line in claim(space).failed.read_text().splitlines()]
    assert sorted(row["swept"]["run.seed"] for row in rows) == ["2", "3", "4"]
    assert [row["trial"] for row in rows] == [2, 3, 4]
    assert all("/nowhere" in row["cause"] for row in rows)
    assert messages[-1] == "Every combination was tried."


def test_the_search_ends_with_the_error_of_its_first_trial() -> None:
    space = read_search_space(KEYS)
    with pytest.raises(FtdistError, match="/nowhere"):
        searched(space, trials=2, messages=[])
    assert not claim(space).failed.exists()


def test_another_search_of_the_same_name_is_refused(folder: Path) -> None:
    space = read_search_space(KEYS)
    claim(space)
    other = replace(space, fixed=(*space.fixed, "train.epochs=9"))
    with pytest.raises(ConfigError, match="Sweep s exists with other keys"):
        searched(other, trials=1, messages=[])
    with pytest.raises(ConfigError, match="Sweep s exists with other seed"):
        searched(space, trials=1, messages=[], seed=2)
    with run_lock(RunDir(claim(space).folder)), pytest.raises(ConfigError, match="is driven by"):
        searched(space, trials=1, messages=[])


def test_a_sweep_of_train_m_is_not_continued_by_a_search(folder: Path) -> None:
    make_trial(folder, 1, loss=3.0)
    with pytest.raises(ConfigError, match="was not made by `ftdist sweep`"):
        searched(read_search_space(KEYS), trials=1, messages=[])


def test_the_sampler_learns_from_failures_and_not_from_cancellations(folder: Path) -> None:
    space = read_search_space(KEYS)
    records = claim(space)
    make_trial(folder, 1, loss=3.0)
    make_trial(folder, 2, loss=1.0, outcome="failed")
    make_trial(folder, 3, loss=1.0, outcome="stopped")
    records.record_failure(number=4, name="s-seed-4", swept={"run.seed": "4"}, cause="no text")
    search = Search(
        records=records,
        settings=SearchSettings(trials=4, score=HELD_OUT),
        supervise=lambda *_, **__: pytest.fail("nothing is trained"),
        log=list[str]().append,
        queue=None,
    )
    snapshot = search.read()
    tried = [as_tried(trial, snapshot) for trial in snapshot.trials]
    assert [(str(each.value), each.is_open) for each in tried] == [
        ("3.0", False),
        ("nan", False),
        ("None", False),
        ("nan", False),
    ]
    # a run that is there, but could not start as a trial, is not the trial's
    make_trial(folder, 4, loss=0.5)
    (folder / "runs" / "s-seed-4" / "events.jsonl").unlink()
    assert search.read().states["s-seed-4"] == "failed"
