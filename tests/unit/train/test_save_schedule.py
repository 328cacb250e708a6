"""When checkpoints are saved, and what follows where that fails."""

import pytest

from ftdist.config.schema.checkpoint import CheckpointConfig
from ftdist.errors import StorageError
from ftdist.train.save_schedule import MAX_FAILED_SAVES, SaveSchedule


class Script:
    """Stands for a Checkpointer: notes the calls, and fails to finish as often as asked."""

    def __init__(self, *, failures: int = 0) -> None:
        self.calls: list[str] = []
        self.failures = failures
        self.checked: list[int] = []
        self.is_under_way = False
        self.is_written = False

    def reserve_copy_memory(self) -> str | None:
        self.calls.append("reserve")
        return None

    def begin(self, step: int, *, beside_training: bool, is_sound: bool) -> bool:
        beside, unsound = " beside" * beside_training, " unsound" * (not is_sound)
        self.calls.append(f"begin {step}{beside}{unsound}")
        self.is_under_way = True
        return beside_training

    def finish(self) -> float:
        self.calls.append("finish")
        self.is_under_way = False
        if self.failures:
            self.failures -= 1
            raise StorageError("The disk is full.", remedy="make room.")
        return 2.0

    def keep_last_only(self) -> None:
        self.calls.append("last only")

    def keep_best(self, step: int) -> None:
        self.calls.append(f"best {step}")


def schedule(
    script: Script, *, every: int = 2, is_async: bool = True, total_steps: int = 10
) -> tuple[SaveSchedule, list[str]]:
    notes: list[str] = []
    checked = script.checked
    config = CheckpointConfig(every_steps=every, keep_latest=1, async_save=is_async)
    saves = SaveSchedule(
        script,
        config=config,
        total_steps=total_steps,
        note=notes.append,
        before_save=checked.append,
    )
    return saves, notes


def run(saves: SaveSchedule, steps: range, *, written: bool = False, last: int = 0) -> None:
    for step in steps:
        saves.after_step(step, all_written=written)
        saves.save_if_due(step, is_best=False, last=step == last)


def test_a_save_is_committed_once_all_have_written_and_otherwise_before_the_next() -> None:
    script = Script()
    saves, _ = schedule(script)
    run(saves, range(1, 4), written=True)
    assert script.calls == ["reserve", "begin 2 beside", "finish"]
    assert saves.take_times()["time/save_total_s"] == 2.0
    assert saves.take_times() == {}
    run(saves, range(4, 7))
    assert script.calls[3:] == ["begin 4 beside", "finish", "begin 6 beside"]


def test_the_last_save_and_the_best_are_committed_at_once() -> None:
    script = Script()
    saves, _ = schedule(script)
    saves.save_if_due(2, is_best=False, last=False)
    saves.save_if_due(3, is_best=True, last=False)
    saves.save_if_due(4, is_best=False, last=True)
    assert script.calls == [
        *("begin 2 beside", "finish"),
        *("begin 3", "finish", "best 3"),
        *("begin 4", "finish"),
    ]


@pytest.mark.parametrize(
    ("every", "is_async", "first"), [(2, False, 1), (0, True, 1), (10, True, 1), (4, True, 9)]
)
def test_no_memory_is_taken_where_no_save_runs_beside_training(
    every: int, is_async: bool, first: int
) -> None:
    script = Script()
    saves, _ = schedule(script, every=every, is_async=is_async)
    saves.after_step(first, all_written=False)
    assert script.calls == []


def test_a_failed_save_is_noted_with_its_step_and_training_goes_on() -> None:
    script = Script(failures=1)
    saves, notes = schedule(script)
    run(saves, range(1, 5), written=True)
    assert script.calls == ["reserve", "begin 2 beside", "finish", "begin 4 beside"]
    assert notes == [
        "Saving a checkpoint at step 2 failed; training continues. The disk is full. "
        "To fix: make room."
    ]


def test_several_failures_in_a_row_end_the_attempt() -> None:
    saves, notes = schedule(Script(failures=MAX_FAILED_SAVES))
    with pytest.raises(StorageError):
        run(saves, range(1, 10), written=True)
    assert len(notes) == MAX_FAILED_SAVES - 1


def test_a_success_between_failures_counts_them_anew() -> None:
    script = Script(failures=MAX_FAILED_SAVES - 1)
    saves, notes = schedule(script, total_steps=100)
    run(saves, range(1, 8), written=True)
    script.failures = MAX_FAILED_SAVES - 1
    run(saves, range(8, 14), written=True)
    assert len(notes) == 2 * (MAX_FAILED_SAVES - 1)


def test_the_last_save_has_its_chance_after_others_failed_and_must_succeed() -> None:
    script = Script(failures=3)
    saves, notes = schedule(script)
    run(saves, range(1, 8))  # those of 2 and 4 have failed, that of 6 is under way
    run(saves, range(8, 9), last=8)
    assert len(notes) == MAX_FAILED_SAVES == 3
    assert script.calls[-3:] == ["finish", "begin 8", "finish"]
    script.failures = 1
    with pytest.raises(StorageError):
        run(saves, range(9, 10), last=9)


@pytest.mark.fault("M7")
def test_what_is_due_at_a_step_that_is_not_sound_is_saved_at_the_next_sound_one() -> None:
    script = Script()
    saves, _ = schedule(script, is_async=False)
    for step, is_sound in [(1, True), (2, False), (3, False), (4, False), (5, True), (6, True)]:
        saves.save_if_due(step, is_best=False, last=False, is_sound=is_sound)
    assert script.calls == ["begin 5", "finish", "begin 6", "finish"]
    assert script.checked == [5, 6]  # the ranks are compared before each save


@pytest.mark.fault("M7")
def test_a_stop_at_a_step_that_is_not_sound_is_saved_as_such() -> None:
    script = Script()
    saves, _ = schedule(script)
    saves.save_if_due(3, is_best=False, last=True, is_sound=False)
    assert script.calls == ["begin 3 unsound", "finish"]
