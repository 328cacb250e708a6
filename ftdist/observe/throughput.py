"""Clocks of the training loop: a step, its waits for data, tokens per second, time remaining."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

_SMOOTHING = 0.9
"""Weight of the past in the smoothed step time: about the last ten steps count."""


@dataclass(frozen=True, kw_only=True)
class StepTimes:
    """How long one step took."""

    step_s: float
    """Wall time without data waits and pauses."""

    data_s: float
    """Wall time waiting for data."""

    tokens_per_s: float
    """Tokens over `step_s + data_s`."""

    eta_s: float
    """Estimate of the wall time to the end of the run."""

    goodput: float
    """Share of the attempt's wall time that its steps took, data waits excluded."""


class StepClock:
    """Times the steps of one attempt. Pure arithmetic on a clock that can be handed in.

        clock = StepClock(total_steps=100, first_step=0)
        for step in range(first_step, 100):
            with clock.waiting_for_data():
                batches = next(source)
            ...                                   # the step; its loss is read, so a GPU is done
            times = clock.step_done(tokens)
            with clock.pause():
                ...                               # evaluation, checkpoint: no part of a step

    Args:
        total_steps: optimizer steps of the whole run.
        first_step: optimizer steps done before this attempt.
        startup_s: how long the attempt had taken when its clock was made.
        clock: seconds from any start, never running backwards.
    """

    def __init__(
        self,
        *,
        total_steps: int,
        first_step: int,
        startup_s: float = 0.0,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._clock = clock
        self._total_steps = total_steps
        self._first_step = first_step
        self._done = 0
        self._data_s = 0.0
        self._paused_s = 0.0
        self._all_pauses_s = 0.0
        self._smoothed_s = 0.0
        self._weight = 0.0
        self._all_steps_s = 0.0
        self._began = clock()
        self._attempt_began = self._began - startup_s

    @contextmanager
    def waiting_for_data(self) -> Iterator[None]:
        """Count the body's time as waiting for data."""
        began = self._clock()
        try:
            yield
        finally:
            self._data_s += self._clock() - began

    @contextmanager
    def pause(self) -> Iterator[None]:
        """Count the body's time to no step, but to the time remaining, in proportion."""
        began = self._clock()
        try:
            yield
        finally:
            self._paused_s += self._clock() - began

    def step_done(self, tokens: int) -> StepTimes:
        """End the running step and begin the next one.

        Args:
            tokens: loss and context tokens of the step, all ranks.
        """
        now = self._clock()
        busy_s = now - self._began - self._paused_s
        data_s = self._data_s
        self._done += 1
        self._all_pauses_s += self._paused_s
        self._all_steps_s += busy_s - data_s
        self._smooth(busy_s)
        self._began, self._data_s, self._paused_s = now, 0.0, 0.0
        return StepTimes(
            step_s=busy_s - data_s,
            data_s=data_s,
            tokens_per_s=tokens / busy_s if busy_s > 0 else 0.0,
            eta_s=self._eta_s(),
            goodput=self._all_steps_s / max(now - self._attempt_began, 1e-9),
        )

    def _smooth(self, busy_s: float) -> None:
        """Debiased running mean; the first step, which warms everything up, counts only alone."""
        if self._done == 2:
            self._smoothed_s = self._weight = 0.0
        self._smoothed_s = _SMOOTHING * self._smoothed_s + (1 - _SMOOTHING) * busy_s
        self._weight = _SMOOTHING * self._weight + (1 - _SMOOTHING)

    def _eta_s(self) -> float:
        remaining = max(0, self._total_steps - self._first_step - self._done)
        return remaining * (self._smoothed_s / self._weight + self._all_pauses_s / self._done)
