"""Who is told how training goes: metrics.jsonl, the console, Weights & Biases. On the lead only.

`metrics.jsonl` is the record of truth: every row of every attempt, one write a row, never changed
afterwards; read it with `ftdist.observe.metrics.read_metrics`. The console (in the end the lead's
log file) gets a line a second at most. Weights & Biases is a mirror: whatever happens to it,
training neither stops nor waits.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from ftdist.config.schema import RunConfig
from ftdist.errors import RequeueError, StorageError
from ftdist.io.units import format_duration
from ftdist.observe import metrics
from ftdist.observe.metrics import Row, last_recorded_step, metric_of
from ftdist.observe.wandb.uploader import WandbUploader
from ftdist.plan.plan import Plan
from ftdist.rundir import RunDir

Outcome = Literal["finished", "requeue", "failed"]
"""How an attempt ends: the run is done, asks to be started again, or met an error."""


def open_metric_logger(
    run: RunDir,
    config: RunConfig,
    plan: Plan,
    *,
    attempt: int,
    first_step: int,
    on_stop: Callable[[], None] | None = None,
) -> "MetricLogger":
    """Open every sink that the config asks for. Returns at once: W&B starts in the background.

    Args:
        run: the run directory; all files lie in it.
        config: says whether and how W&B is told.
        plan: says how many steps there are.
        attempt: of this start; part of every row.
        first_step: optimizer steps done before this attempt.
        on_stop: called, from another thread, when somebody presses W&B's stop button.

    Raises:
        StorageError: metrics.jsonl cannot be opened.
    """
    already = last_recorded_step(run.metrics)
    rows = JsonlWriter(run.metrics)
    console = Console(total_steps=plan.steps)
    if first_step > 0:
        console.note(f"Attempt {attempt} goes on after step {first_step} of {plan.steps}.")
    mirror = None
    if config.tracking.wandb != "off":
        mirror = WandbUploader(
            run,
            config,
            plan,
            attempt=attempt,
            after=already or 0,
            note=console.note,
            on_stop=on_stop or _nothing,
        )
    return MetricLogger(rows, console, mirror, attempt=attempt)


def _nothing() -> None:
    """Nobody listens to W&B's stop button."""


class MetricLogger:
    """All sinks as one; a context manager that closes them.

    Args:
        rows: the record of truth.
        console: for people.
        mirror: W&B, or None; it reads the record, and is told of its end alone.
        attempt: part of every row.
    """

    def __init__(
        self,
        rows: "JsonlWriter",
        console: "Console",
        mirror: WandbUploader | None,
        *,
        attempt: int,
    ) -> None:
        self._rows = rows
        self._console = console
        self._mirror = mirror
        self._attempt = attempt
        self._closed = False
        self._told_of_disk = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self.close("finished")
            return
        try:
            self.close("requeue" if isinstance(error, RequeueError) else "failed")
        except StorageError as second:
            self._console.note(second.problem)  # The first error is the one to show.

    def log(self, step: int, values: Mapping[str, float | int]) -> None:
        """Record what was measured; all that belongs to one step in one call, where possible.

        Args:
            step: optimizer steps done.
            values: by the names in `ftdist.observe.metrics.METRICS`.
        """
        unknown = [name for name in values if metric_of(name) is None]
        assert not unknown, f"not in METRICS: {unknown}"
        row: Row = {
            metrics.STEP.name: step,
            metrics.ATTEMPT.name: self._attempt,
            metrics.TIME.name: time.time(),
            **values,
        }
        problem = self._rows.append(row)
        if problem is not None and not self._told_of_disk:
            self.note(f"metrics.jsonl cannot be written ({problem}); its rows wait in memory.")
        self._told_of_disk = problem is not None
        self._console.show(row)

    def note(self, text: str) -> None:
        """Tell people something that is no measurement: one plain line."""
        self._console.note(text)

    def close(self, outcome: Outcome) -> None:
        """Finish every sink, within a bounded time; calling it again does nothing.

        Raises:
            StorageError: rows of metrics.jsonl are still waiting for the disk.
        """
        if self._closed:
            return
        self._closed = True
        try:
            self._rows.close()
        finally:
            if self._mirror is not None:
                self._mirror.close(outcome)


class JsonlWriter:
    """`metrics.jsonl`, open for adding; a row that the disk does not take waits for the next try.

    Args:
        path: the file, made if need be; readable by its owner only.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._waiting = b""
        try:
            self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
            size = os.fstat(self._file).st_size
            if size and os.pread(self._file, 1, size - 1) != b"\n":
                self._waiting = b"\n"  # A killed writer's torn line must not swallow the next row.
        except OSError as error:
            raise self._failure(error) from error

    def append(self, row: Row) -> str | None:
        """Add a row. Returns what is wrong with the disk, or None."""
        self._waiting += (json.dumps(row) + "\n").encode()
        try:
            while self._waiting:
                written = os.write(self._file, self._waiting)
                self._waiting = self._waiting[written:]
        except OSError as error:
            return error.strerror or str(error)
        return None

    def close(self) -> None:
        """Bring the rows to disk.

        Raises:
            StorageError: some are still waiting.
        """
        try:
            while self._waiting:
                written = os.write(self._file, self._waiting)
                self._waiting = self._waiting[written:]
            os.fsync(self._file)
        except OSError as error:
            raise self._failure(error) from error
        finally:
            os.close(self._file)

    def _failure(self, error: OSError) -> StorageError:
        waiting = self._waiting.count(b"\n")
        return StorageError(
            f"Cannot write {self._path}: {error.strerror or error}; {waiting} rows are not in it.",
            remedy="make room on the disk, or choose another with run.root, then resume the run.",
        )


class Console:
    """One plain line a step, at most one a second; the first and the last step always.

        step 12/120  loss 2.3456  lr 1.90e-05  grad norm 1.234  5,123 tokens/s  3m20s left

    Args:
        total_steps: of the whole run.
        clock: seconds from any start.
    """

    def __init__(self, *, total_steps: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._total_steps = total_steps
        self._clock = clock
        self._shown_at: float | None = None

    def show(self, row: Row) -> None:
        """Show a row, unless another one was shown within the last second."""
        now = self._clock()
        recent = self._shown_at is not None and now - self._shown_at < 1.0
        last = row[metrics.STEP.name] >= self._total_steps
        if recent and not last and metrics.HELD_OUT_LOSS.name not in row:
            return
        self._shown_at = now
        self.note(progress_line(row, total_steps=self._total_steps))

    def note(self, text: str) -> None:
        """Write one line, at once; a closed or full output is no reason to stop."""
        try:
            sys.stdout.write(text + "\n")
            sys.stdout.flush()
        except (OSError, ValueError):
            return


def progress_line(row: Row, *, total_steps: int) -> str:
    """A row as one line for people; what was not measured is left out."""
    width = len(str(total_steps))
    parts = [f"step {row[metrics.STEP.name]:>{width}}/{total_steps}"]
    for metric, pattern in (
        (metrics.LOSS, "loss {:.4f}"),
        (metrics.HELD_OUT_LOSS, "held-out loss {:.4f}"),
        (metrics.LEARNING_RATE, "lr {:.2e}"),
        (metrics.GRAD_NORM, "grad norm {:.3f}"),
        (metrics.TOKENS_PER_S, "{:,.0f} tokens/s"),
    ):
        if metric.name in row:
            parts.append(pattern.format(row[metric.name]))
    if metrics.ETA_S.name in row:
        parts.append(f"{format_duration(row[metrics.ETA_S.name])} left")
    return "  ".join(parts)
