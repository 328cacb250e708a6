"""When checkpoints are saved, and what follows where that fails."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, runtime_checkable

from ftdist.config.schema.checkpoint import CheckpointConfig
from ftdist.errors import StorageError
from ftdist.observe import metrics

MAX_FAILED_SAVES = 3
"""Consecutive failed saves after which the attempt fails."""


@runtime_checkable
class StateSaver(Protocol):
    """What saves the training state: see `ftdist.train.checkpointing.Checkpointer`."""

    @property
    def is_under_way(self) -> bool:
        """Whether a save has begun and is yet to be finished."""

    @property
    def is_written(self) -> bool:
        """Whether this rank's part of the save under way has been written, or has failed."""

    def reserve_copy_memory(self) -> str | None:
        """Take memory so that saves run beside training, or say why they do not."""

    def begin(self, step: int, *, beside_training: bool, is_sound: bool) -> bool:
        """Begin a save: whether training may go on before it is finished."""

    def finish(self) -> float | None:
        """Commit the save under way: its wall time in seconds, if there was one."""

    def keep_best(self, step: int) -> None:
        """Keep a committed checkpoint as the best."""

    def keep_last_only(self) -> None:
        """After the last save of a complete run: keep no more than the run wants in the end."""


class SaveSchedule:
    """Saves what is due. Every rank has one; every method but `is_written` is collective.

    A failed save is noted and training continues, unless it was the last chance.

    Args:
        checkpointer: saves the training state.
        config: how often.
        total_steps: of the run.
        note: prints a line for people, on rank 0.
        before_save: called with the steps done before each save; ends an attempt that must not.
    """

    def __init__(
        self,
        checkpointer: StateSaver,
        *,
        config: CheckpointConfig,
        total_steps: int,
        note: Callable[[str], None],
        before_save: Callable[[int], None],
    ) -> None:
        self._checkpointer = checkpointer
        self._every = config.every_steps
        self._is_async = config.async_save
        self._total_steps = total_steps
        self._note, self._before_save = note, before_save
        self._has_begun = False
        self._step = 0
        """Of the newest save that was begun."""
        self._failed = 0
        self._is_overdue = False
        """Whether a save was due at a step that was not sound."""
        self._times: dict[str, float] = {}

    @property
    def is_written(self) -> bool:
        """Whether a save is under way and this rank has written its part."""
        return self._checkpointer.is_written

    def after_step(self, done: int, *, all_written: bool) -> None:
        """Commit the save that is under way if all ranks have written their parts.

        Args:
            done: optimizer steps done.
            all_written: whether `is_written` was true on every rank at the end of this step.

        Raises:
            StorageError: several saves in a row have failed; on every rank.
        """
        if not self._has_begun:
            self._has_begun = True
            self._reserve_memory(done)
        if all_written:
            self.drain()

    def save_if_due(self, step: int, *, is_best: bool, last: bool, is_sound: bool = True) -> None:
        """Save the state after `step` steps, if that is due.

        What is due at a step that is not sound is saved at the next sound one.

        Args:
            step: optimizer steps done.
            is_best: whether it replaces the best checkpoint: then it is committed at once.
            last: whether training ends here: likewise.
            is_sound: whether training is sound at this step: see `LossHistory`. If it is not, the
                checkpoint of a stop replaces none of those before it.

        Raises:
            StorageError: it was the last chance, or several saves in a row have failed; on
                every rank.
            DivergedError: the parameters are ruined; on every rank.
        """
        self._is_overdue |= self._every > 0 and step % self._every == 0
        if not (is_best or last or (self._is_overdue and is_sound)):
            return
        self._is_overdue = False
        self._before_save(step)
        self.drain(last=last)
        with self._saving(step, is_last_chance=last):
            self._step = step
            wait = last or is_best or not self._is_async
            if not self._checkpointer.begin(step, beside_training=not wait, is_sound=is_sound):
                self._finish()
            if is_best:
                self._checkpointer.keep_best(step)

    def drain(self, *, last: bool = False) -> None:
        """Wait for the save that is under way, if any, and commit it.

        Args:
            last: whether the last save follows, so that a failure of this one is not the end.

        Raises:
            StorageError: several saves in a row have failed; on every rank.
        """
        if self._checkpointer.is_under_way:
            with self._saving(self._step, another_follows=last):
                self._finish()

    def end(self) -> None:
        """After the last save of a complete run: fewer checkpoints may be kept."""
        self._checkpointer.keep_last_only()

    def take_times(self) -> dict[str, float]:
        """What saves have taken since the last call, as metrics."""
        times, self._times = self._times, {}
        return times

    def _reserve_memory(self, done: int) -> None:
        """Reserve memory for copies after the first step, when training has taken all of its own.

        Not where no save is due but the last one.
        """
        next_due = -(-done // self._every) * self._every if self._every else self._total_steps
        if self._is_async and next_due < self._total_steps:
            problem = self._checkpointer.reserve_copy_memory()
            if problem is not None:
                self._note(problem)

    def _finish(self) -> None:
        total_s = self._checkpointer.finish()
        self._failed = 0
        if total_s is not None:
            self._times[metrics.SAVE_TOTAL_S.name] = total_s

    @contextmanager
    def _saving(
        self, step: int, *, is_last_chance: bool = False, another_follows: bool = False
    ) -> Iterator[None]:
        """Time the body, and decide what its failure means."""
        began = time.perf_counter()
        try:
            yield
        except StorageError as error:
            self._failed += 1
            too_often = self._failed >= MAX_FAILED_SAVES and not another_follows
            if is_last_chance or too_often:
                raise
            self._note(
                f"Saving a checkpoint at step {step} failed; training continues. "
                f"{error.problem} To fix: {error.remedy}"
            )
        finally:
            name = metrics.SAVE_S.name
            self._times[name] = self._times.get(name, 0.0) + time.perf_counter() - began
