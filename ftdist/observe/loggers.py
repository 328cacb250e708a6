"""Metric writers: metrics.jsonl, console, Weights & Biases. On rank 0 only.

`metrics.jsonl` is the source of truth: every row of every attempt, one write per row, append-only;
read it with `ftdist.observe.metrics.read_metrics`. The console (rank 0's log file) gets at most one
line per second. Weights & Biases is a mirror: its failures never stop or slow down training.
"""

import json
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from ftdist.config.schema import RunConfig
from ftdist.errors import RequeueError, StorageError
from ftdist.io.retry import is_passing
from ftdist.observe import metrics
from ftdist.observe.console import Console
from ftdist.observe.live_page import LivePage
from ftdist.observe.metrics import Row, last_recorded_step, metric_of
from ftdist.observe.wandb.uploader import WandbUploader
from ftdist.plan.plan import Plan
from ftdist.rundir import RunDir

Outcome = Literal["finished", "requeue", "failed"]
"""How an attempt ends: the run is complete, requests a requeue, or failed."""

MAX_PENDING_BYTES = 64 << 20
"""Rows that wait for a full disk: about 100,000."""


def open_metric_logger(
    run: RunDir,
    config: RunConfig,
    plan: Plan,
    *,
    attempt: int,
    first_step: int,
    on_stop: Callable[[], object] | None = None,
) -> "MetricLogger":
    """Open all configured writers. Returns at once: W&B starts in the background.

    Args:
        run: the run directory; holds all files.
        config: says whether and how to use W&B.
        plan: holds the total number of steps.
        attempt: number of this attempt; part of every row.
        first_step: optimizer steps done before this attempt.
        on_stop: called, from another thread, when somebody presses W&B's stop button.

    Raises:
        StorageError: metrics.jsonl cannot be opened.
    """
    already = last_recorded_step(run.metrics)
    rows = JsonlWriter(run.metrics)
    console = Console(total_steps=plan.steps)
    if first_step > 0:
        console.print(f"Attempt {attempt} resumes after step {first_step} of {plan.steps}.")
    uploader = None
    if config.tracking.wandb != "off":
        uploader = WandbUploader(
            run,
            config,
            plan,
            attempt=attempt,
            after=already or 0,
            log=console.print,
            on_stop=on_stop or _nothing,
        )
    page = None
    if config.tracking.curves_every_s > 0:
        page = LivePage(run, every_s=config.tracking.curves_every_s)
    return MetricLogger(
        rows, console, uploader, page, attempt=attempt, record_event=run.record_event
    )


def _nothing() -> None:
    """Ignores W&B's stop button."""


class MetricLogger:
    """All metric writers as one context manager.

    Args:
        rows: metrics.jsonl.
        console: for people.
        uploader: W&B, or None; it follows metrics.jsonl and only needs to be closed.
        page: the page of curves, or None; likewise.
        attempt: part of every row.
        record_event: appends to the run's events.
    """

    def __init__(
        self,
        rows: "JsonlWriter",
        console: Console,
        uploader: WandbUploader | None,
        page: LivePage | None = None,
        *,
        attempt: int,
        record_event: Callable[..., object],
    ) -> None:
        self._rows = rows
        self._record_event = record_event
        self._console = console
        self._uploader = uploader
        self._page = page
        self._is_page_shown = False
        self._attempt = attempt
        self._closed = False
        self._has_disk_problem = False

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
            self._console.print(second.problem)  # The first error is the one to show.

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
        if problem is not None and not self._has_disk_problem:
            self.note(f"Cannot write metrics.jsonl ({problem}); its rows are kept in memory.")
        self._has_disk_problem = problem is not None
        self._console.show(row)
        if self._page is not None and not self._is_page_shown and self._page.path.is_file():
            self._is_page_shown = True
            self.note(f"Curves: {self._page.path}")

    def begin_evaluation(
        self, step: int, values: Mapping[str, float | int], *, expected_s: float | None
    ) -> None:
        """Show a step before its evaluation starts; `log` records it afterwards.

        Args:
            step: optimizer steps done.
            values: measured so far.
            expected_s: how long it will take, in seconds; None: unknown.
        """
        self._record_event("evaluation_started", step=step, expected_s=expected_s)
        self._console.announce({metrics.STEP.name: step, **values}, expected_s=expected_s)

    def note(self, text: str) -> None:
        """Print one line to the console."""
        self._console.print(text)

    def close(self, outcome: Outcome) -> None:
        """Close all writers within a bounded time; repeated calls do nothing.

        Raises:
            StorageError: some rows could not be written to metrics.jsonl.
        """
        if self._closed:
            return
        self._closed = True
        try:
            self._rows.close()
        finally:
            if self._page is not None:
                self._page.close()
            if self._uploader is not None:
                self._uploader.close(outcome)


class JsonlWriter:
    """Appends rows to `metrics.jsonl`; a row that cannot be written is kept for the next try.

    At most `MAX_PENDING_BYTES` are kept: the newest.

    Args:
        path: the file; created if missing, readable by its owner only.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._pending = b""
        self._num_dropped = 0
        try:
            self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
            size = os.fstat(self._file).st_size
            if size and os.pread(self._file, 1, size - 1) != b"\n":
                self._pending = (
                    b"\n"  # A torn line of a killed writer must not swallow the next row.
                )
        except OSError as error:
            raise self._failure(error) from error

    def append(self, row: Row) -> str | None:
        """Append a row. Returns the disk error as text, or None."""
        self._pending += (json.dumps(row) + "\n").encode()
        try:
            self._write()
        except OSError as error:
            while len(self._pending) > MAX_PENDING_BYTES:
                rest = self._pending.lstrip(b"\n").partition(b"\n")[2]
                self._pending = b"\n" + rest  # of the first row, a part may be in the file
                self._num_dropped += 1
            return error.strerror or str(error)
        return None

    def _write(self) -> None:
        while self._pending:
            try:
                written = os.write(self._file, self._pending)
            except OSError as error:
                if not is_passing(error):
                    raise
                self._reopen()
                written = os.write(self._file, self._pending)
            self._pending = self._pending[written:]

    def _reopen(self) -> None:
        """Open the file again: a stale handle stays stale though the server is back."""
        new = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        with suppress(OSError):
            os.close(self._file)
        self._file = new

    def close(self) -> None:
        """Write the pending rows and sync the file.

        Raises:
            StorageError: some rows could not be written.
        """
        try:
            self._write()
            os.fsync(self._file)
        except OSError as error:
            raise self._failure(error) from error
        finally:
            os.close(self._file)

    def _failure(self, error: OSError) -> StorageError:
        pending = self._pending.lstrip(b"\n").count(b"\n") + self._num_dropped
        missing = "1 row is" if pending == 1 else f"{pending} rows are"
        return StorageError(
            f"Cannot write {self._path}: {error.strerror or error}; {missing} missing.",
            remedy="free disk space, or set run.root to another disk, then resume the run.",
        )
