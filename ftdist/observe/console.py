"""The lines that rank 0 prints while it trains: one per step, and before long evaluations."""

import sys
import time
from collections import deque
from collections.abc import Callable

from ftdist.io.units import format_duration
from ftdist.observe import metrics
from ftdist.observe.metrics import Row
from ftdist.text.terminal import plain

MEAN_STEPS = 20
"""How many values a running mean covers."""

MAX_SOURCES = 4
"""With more sources only the mean of all is shown."""

ANNOUNCED_S = 10.0
"""Evaluations that take longer are announced, as are those of unknown length."""


class LossMeans:
    """Running means of the loss, and of each source's.

    The loss of single steps jumps where sources with different losses alternate.
    """

    def __init__(self) -> None:
        self._values: dict[str, deque[float]] = {}

    def add(self, row: Row) -> None:
        """Add one step."""
        for name, value in row.items():
            if name == metrics.LOSS.name or metrics.metric_of(name) is metrics.SOURCE_LOSS:
                self._values.setdefault(name, deque(maxlen=MEAN_STEPS)).append(value)

    def describe(self) -> str:
        """As "mean 1.4811: library 2.812, replay 0.042"; empty before the second step."""
        losses = self._values.get(metrics.LOSS.name, ())
        if len(losses) < 2:
            return ""
        text = f"mean {_mean(losses):.4f}"
        prefix = metrics.SOURCE_LOSS.name.removesuffix("*")
        sources = {
            n.removeprefix(prefix): v for n, v in self._values.items() if n.startswith(prefix)
        }
        if 1 < len(sources) <= MAX_SOURCES:
            parts = [f"{name} {_mean(values):.3f}" for name, values in sorted(sources.items())]
            text += f": {', '.join(parts)}"
        return text


class Console:
    """One line per step, at most one per second; the first and the last step always.

        step 12/120  loss 2.3456 (mean 2.4012)  lr 1.90e-05  grad norm 1.234  3m20s left

    Args:
        total_steps: of the whole run.
        clock: seconds since any fixed time.
    """

    def __init__(self, *, total_steps: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._total_steps = total_steps
        self._clock = clock
        self._shown_at: float | None = None
        self._announced: int | None = None
        self._announced_at = 0.0
        self._means = LossMeans()

    def show(self, row: Row) -> None:
        """Print a row unless another one was printed within the last second.

        Of a step that `announce` has printed only the evaluation follows.
        """
        if row[metrics.STEP.name] == self._announced:
            self._announced = None
            self._shown_at = self._clock()
            took = format_duration(self._clock() - self._announced_at)
            evals = {name: row[name] for name in (metrics.HELD_OUT_LOSS.name,) if name in row}
            step = {metrics.STEP.name: row[metrics.STEP.name]}
            line = progress_line(step | evals, total_steps=self._total_steps)
            self.print(f"{line}  evaluated in {took}")
            return
        self._means.add(row)
        now = self._clock()
        recent = self._shown_at is not None and now - self._shown_at < 1.0
        last = row[metrics.STEP.name] >= self._total_steps
        if recent and not last and metrics.HELD_OUT_LOSS.name not in row:
            return
        self._shown_at = now
        self._print_row(row)

    def announce(self, row: Row, *, expected_s: float | None) -> None:
        """Print a step before its evaluation starts, unless the evaluation is known to be short.

        Args:
            row: of the step.
            expected_s: how long it will take, in seconds; None: unknown.
        """
        if expected_s is not None and expected_s < ANNOUNCED_S:
            return
        self._means.add(row)
        self._announced, self._announced_at = row[metrics.STEP.name], self._clock()
        self._print_row(row)
        length = "" if expected_s is None else f", about {format_duration(expected_s)}"
        self.print(f"Evaluating after step {row[metrics.STEP.name]}{length}.")

    def print(self, text: str) -> None:
        """Print one line at once; a closed or full output is ignored."""
        print_line(text)

    def _print_row(self, row: Row) -> None:
        means = self._means.describe() if metrics.LOSS.name in row else ""
        self.print(progress_line(row, total_steps=self._total_steps, means=means))


def print_line(text: str) -> None:
    """Print one line at once; a closed or full output is ignored."""
    try:
        sys.stdout.write(plain(text) + "\n")
        sys.stdout.flush()
    except (OSError, ValueError):
        return


def progress_line(row: Row, *, total_steps: int, means: str = "") -> str:
    """A row as one console line, without missing values.

    Args:
        row: of one step.
        total_steps: of the whole run.
        means: of the losses up to now.
    """
    width = len(str(total_steps))
    parts = [f"step {row[metrics.STEP.name]:>{width}}/{total_steps}"]
    for metric, pattern in (
        (metrics.LOSS, f"loss {{:.4f}}{f' ({means})' if means else ''}"),
        (metrics.HELD_OUT_LOSS, "held-out loss {:.4f}"),
        (metrics.LEARNING_RATE, "lr {:.2e}"),
        (metrics.GRAD_NORM, "grad norm {:.3f}"),
        (metrics.TOKENS_PER_S, "{:,.0f} tokens/s"),
        (metrics.MFU, "{:.0%} MFU"),
    ):
        if metric.name in row:
            parts.append(pattern.format(row[metric.name]))
    if metrics.ETA_S.name in row:
        parts.append(f"{format_duration(row[metrics.ETA_S.name])} left")
    return "  ".join(parts)


def _mean(values: deque[float] | tuple[()]) -> float:
    return sum(values) / len(values)
