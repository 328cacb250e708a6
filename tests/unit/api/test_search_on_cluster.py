"""A search whose trials are SLURM jobs: outages, lost runs, cancelled trials, taken names."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from ftdist_launch.confirmation import Confirmation
from ftdist_launch.slurm.client import Queue, SlurmError
from ftdist_launch.sweeps.records import record_trial
from ftdist_launch.sweeps.scores import HELD_OUT, SweepScore, find_score
from ftdist_launch.sweeps.search_records import SearchRecords

from ftdist.api import search_on_cluster, search_state
from ftdist.api.search import search_space
from ftdist.api.search_state import PAUSES_S, SearchResult, SearchSettings
from ftdist.checkpoint.store import CheckpointStore
from ftdist.config.schema import RunConfig
from ftdist.config.search_space import SearchSpace, read_search_space
from ftdist.errors import FtdistError
from ftdist.rundir import RunDir
from tests.support.models.fake_checkpoints import save
from tests.support.slurm.fake_commands import FakeSlurm, install_slurm

KEYS = [
    *("run.name=s", "cluster=slurm", "cluster.device=cpu", "tracking=off", "run.seed=1,2,3,4"),
    *("model.path=/m", "library.path=/l", "batch.tokens=4096"),
]
POLL_S = 40.0


@cache
def space() -> SearchSpace:
    return read_search_space(KEYS)


@dataclass
class Lab:
    """A search on a fake cluster, in which sleeping makes the next thing happen."""

    slurm: FakeSlurm
    messages: list[str] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    now: float = 0.0
    happens: Iterator[Callable[[], None]] = field(default_factory=lambda: iter(()))

    def sleep(self, seconds: float) -> None:
        assert len(self.pauses) < 100, self.messages
        self.pauses.append(seconds)
        self.now += seconds
        next(self.happens, lambda: None)()

    def search(
        self, *happens: Callable[[], None], trials: int, score: SweepScore = HELD_OUT
    ) -> SearchResult:
        self.happens = iter(happens)
        return search_space(
            space(),
            SearchSettings(trials=trials, score=score),
            supervise=lambda *_, **__: pytest.fail("nothing runs here"),
            log=self.messages.append,
            poll_s=POLL_S,
        )


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    lab = Lab(install_slurm(tmp_path / "bin", monkeypatch))

    def check(config: RunConfig, *, queue: Queue, log: object) -> RunConfig:
        queue.partitions()
        return config

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ftdist_launch.slurm.submit.take_snapshot", lambda _: "code")
    for module in (search_state, search_on_cluster):
        monkeypatch.setattr(module, "time", SimpleNamespace(sleep=lab.sleep))
    monkeypatch.setattr(search_on_cluster, "check", check)  # there is no model
    clock = partial(Confirmation, clock=lambda: lab.now)
    monkeypatch.setattr(search_on_cluster, "Confirmation", clock)
    return lab


def claim() -> None:
    """What an earlier search leaves."""
    with SearchRecords(space=space(), score=HELD_OUT, seed=1).exclusive():
        pass


def failed_file() -> Path:
    return SearchRecords(space=space(), score=HELD_OUT, seed=1).failed


def finish(run: RunDir, *, loss: float) -> None:
    run.append_event("attempt_started", attempt=1, world_size=1, steps=5, host="h", checkpoint=None)
    run.append_event("attempt_finished", attempt=1, outcome="done", checkpoint=5)
    run.metrics.write_text(json.dumps({"step": 5, "eval/held_out_loss": loss}) + "\n")


def first_trial() -> RunDir:
    """A trial of an earlier search that is done."""
    claim()
    run = RunDir(Path("runs/s-seed-1").resolve())
    run.create(private=True)
    record_trial(run, sweep="s", number=1, swept={"run.seed": "1"})
    run.config.write_text("")
    finish(run, loss=3.0)
    return run


def newest() -> RunDir:
    """The run of the newest trial."""
    return RunDir(max(Path("runs").glob("s-*"), key=lambda path: path.stat().st_ctime).resolve())


def test_a_trial_waits_for_slurm_and_does_not_count_as_failed(lab: Lab) -> None:
    first_trial()
    lab.slurm.set_down(True)

    def nothing() -> None:
        assert not failed_file().exists()

    def recover() -> None:
        lab.slurm.set_down(False)

    def score() -> None:
        lab.slurm.empty_queue()
        finish(newest(), loss=2.0)

    result = lab.search(nothing, nothing, recover, score, trials=2)
    assert lab.pauses == [30.0, 60.0, 120.0, POLL_S]
    assert [(t.number, t.value, t.is_best) for t in result.trials] == [
        (1, 3.0, False),
        (2, 2.0, True),
    ]
    assert lab.slurm.count() == 2  # preparation and training of one trial
    assert not failed_file().exists()
    assert any("The next try is in 30s." in message for message in lab.messages)


def test_an_outage_of_hours_ends_the_search_and_records_no_trial(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sum(PAUSES_S) / 3600 == pytest.approx(3.475)
    monkeypatch.setattr(search_state, "PAUSES_S", PAUSES_S[:2])
    first_trial()
    lab.slurm.set_down(True)
    with pytest.raises(SlurmError, match="Unable to contact"):
        lab.search(trials=2)
    assert lab.pauses == [30.0, 60.0]
    assert not failed_file().exists()
    assert [path.name for path in Path("runs").glob("s-*")] == ["s-seed-1"]


def test_the_first_trial_does_not_wait_for_slurm(lab: Lab) -> None:
    lab.slurm.set_down(True)
    with pytest.raises(SlurmError):
        lab.search(trials=2)
    assert lab.pauses == []


def test_a_trial_whose_end_is_recorded_late_keeps_its_score(lab: Lab) -> None:
    first_trial()

    def leave() -> None:  # at 40 s the queue is empty, and no end is recorded
        lab.slurm.empty_queue()

    def score() -> None:  # at 80 s it is
        finish(newest(), loss=2.0)

    result = lab.search(leave, score, trials=2)
    assert [trial.value for trial in result.trials] == [3.0, 2.0]
    assert not any("no held_out_loss" in message for message in lab.messages)


def test_a_trial_that_stays_lost_is_over_after_a_minute(lab: Lab) -> None:
    first_trial()
    result = lab.search(lab.slurm.empty_queue, trials=2)
    assert lab.pauses == [POLL_S] * 3  # lost at 40, 80 and 120 s
    assert list(result.states.values()) == ["done", "lost"]
    assert lab.messages[-1] == "Trial 2 of 2 lost: no held_out_loss."


def test_a_cancelled_trial_is_stopped_and_the_next_one_starts(lab: Lab) -> None:
    first_trial()

    def cancel() -> None:
        newest().append_event("cancel_requested", by="cancel", now=False)
        lab.slurm.empty_queue()

    def score() -> None:
        lab.slurm.empty_queue()
        finish(newest(), loss=4.0)

    result = lab.search(cancel, score, trials=3)
    assert [(result.states[t.run.name], t.value) for t in result.trials] == [
        ("done", 3.0),
        ("stopped", None),
        ("done", 4.0),
    ]
    assert lab.pauses == [POLL_S] * 2


def test_a_run_of_the_same_name_is_left_alone(lab: Lab) -> None:
    first_trial()
    for seed in (2, 3, 4):
        other = RunDir(Path(f"runs/s-seed-{seed}").resolve())
        other.create(private=True)
        other.config.write_text("")

    def score() -> None:
        lab.slurm.empty_queue()
        (mine,) = Path("runs").glob("s-seed-*-2")
        finish(RunDir(mine.resolve()), loss=2.0)

    result = lab.search(score, trials=2)
    assert [trial.value for trial in result.trials] == [3.0, 2.0]
    assert result.trials[1].run.name.endswith("-2")
    assert all(
        not path.joinpath("events.jsonl").exists() for path in Path("runs").glob("s-seed-[234]")
    )


def test_a_trial_that_was_never_submitted_is_submitted_again(lab: Lab) -> None:
    first_trial()
    lab.search(lab.slurm.empty_queue, trials=2)  # makes a real config
    run = newest()
    events = [json.loads(line) for line in run.events.read_text().splitlines()]
    kept = [event for event in events if event["event"] == "trial_recorded"]
    run.events.write_text("".join(json.dumps(event) + "\n" for event in kept))
    lab.pauses.clear()

    def score() -> None:
        lab.slurm.empty_queue()
        finish(run, loss=2.0)

    result = lab.search(lambda: None, lambda: None, score, trials=2)
    assert [trial.value for trial in result.trials] == [3.0, 2.0], lab.messages
    assert lab.slurm.count() == 4


def test_ctrl_c_leaves_the_trials_in_the_queue(lab: Lab) -> None:
    first_trial()

    def interrupt() -> None:
        raise KeyboardInterrupt

    result = lab.search(interrupt, trials=2)
    assert result.is_stopped
    assert list(result.states.values()) == ["done", "pending"]


def test_five_trials_in_a_row_that_cannot_start_end_the_search(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    first_trial()

    def refuse(*_: object, **__: object) -> None:
        raise FtdistError("The library has no text.", remedy="add some.")

    monkeypatch.setattr(search_on_cluster, "check", refuse)
    monkeypatch.setattr("ftdist.api.search_state.MAX_FAILED_STARTS", 2)
    with pytest.raises(FtdistError, match="no text"):
        lab.search(trials=9)
    assert len(failed_file().read_text().splitlines()) == 2
    with pytest.raises(FtdistError, match="no text"):
        lab.search(trials=9)
    assert len(failed_file().read_text().splitlines()) == 3


def test_a_trained_trial_is_exported_and_compared_once_slurm_accepts_that(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    score, down = find_score("fact_accuracy"), lab.slurm.set_down
    monkeypatch.setattr("ftdist.api.evaluate.compare_problems", lambda *_, **__: [])

    def train() -> None:
        save(CheckpointStore(newest().checkpoints, keep=1), 5)
        lab.slurm.empty_queue()
        finish(newest(), loss=2.0)
        down(True)

    def compare() -> None:
        rate = {"hits": 3, "n": 4, "low_95": 0.3, "high_95": 0.95}
        scores = {
            "base": {"fact_accuracy": 0.0},
            "tuned": {"fact_accuracy": 0.75},
            "intervals": {
                "base": {"fact_accuracy": {**rate, "hits": 0}},
                "tuned": {"fact_accuracy": rate},
            },
            "paired": {},
        }
        (newest().report / "scores.json").write_text(json.dumps(scores))

    result = lab.search(
        train, lambda: down(False), lab.slurm.empty_queue, compare, trials=1, score=score
    )
    (trial,) = result.trials
    assert (trial.value, trial.is_best) == (0.75, True), lab.messages
    stages = [e["stage"] for e in trial.run.read_events() if e["event"] == "job_submitted"]
    assert stages == ["prepare", "train", "export", "compare"]
    # an outage, and 40 s from the end of the comparison's job until its scores are seen
    assert lab.pauses == [POLL_S, 30.0, POLL_S, POLL_S]
