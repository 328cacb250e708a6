"""Monitor the ranks of a local job: pass on stop requests, and end all ranks when one fails."""

import math
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from ftdist.io.progress import LogFn
from ftdist_launch.attempts import OK_CODES, JobExit
from ftdist_launch.hangs import hang_failures
from ftdist_launch.local.processes import children_of, handled, is_alive, memory_kills, send
from ftdist_launch.rank_failures import (
    exited_silently,
    first_failure,
    read_failures,
)
from ftdist_launch.rank_logs import read_log_failures
from ftdist_launch.rank_records import read_exit_codes, read_starts

if TYPE_CHECKING:
    import submitit

POLL_S = 0.2
GRACE_S = 5.0
"""How long ranks may take to exit once one has failed."""

STACKS_S = 0.5
"""How long a rank may take to write its stack traces before it is killed."""

WATCHDOG_S = 5.0
"""How long the watchdogs of ranks that have ended may take to exit."""

OK_GRACE_S = 120.0
"""How long ranks may take to exit once one has exited without a failure."""


@contextmanager
def counted_interrupts() -> Iterator[list[int]]:
    """Collect SIGINT, SIGTERM and SIGHUP instead of exiting, within a `with` block."""
    received: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    with handled(lambda number, _: received.append(number), *numbers):
        yield received


def follow(
    job: "submitit.Job[None]",
    *,
    folder: Path,
    interrupts: Sequence[int],
    tick: Callable[[], None],
    log: LogFn,
    timeout_s: float = math.inf,
) -> JobExit:
    """Monitor a job until every rank has exited.

    The first interrupt is passed on to the ranks as SIGUSR2; the second one, or the timeout, kills
    them. Once one rank has failed, the others have `GRACE_S` to exit; then they write their stack
    traces and are killed.

    Args:
        job: to monitor: its number is the process that starts the ranks and waits for them.
        folder: where its ranks record how they ended.
        interrupts: signals that this process received; grows meanwhile.
        tick: shows progress. OSErrors of `tick` and `log` (a closed terminal) are ignored.
        log: for messages to the user.
        timeout_s: how long the ranks may take after the first interrupt; infinite for ranks that
            save a checkpoint, however long a step takes.
    """
    ranks = _Ranks(job=job, folder=folder)
    shown: set[str] = set()
    try:
        while ranks.update() or not job.done():
            if interrupts:
                ranks.request_stop()
            timed_out = ranks.seconds_since("request") > timeout_s
            if len(interrupts) > 1 or timed_out or ranks.is_overdue():
                ranks.kill()
            message = _message(len(interrupts), timed_out=timed_out, timeout_s=timeout_s)
            with suppress(OSError):
                if message and message not in shown:
                    shown.add(message)
                    log(message)
                tick()
            time.sleep(POLL_S)
        with suppress(OSError):
            tick()
        return ranks.job_exit()
    except BaseException:
        ranks.abandon(timeout_s=min(OK_GRACE_S, timeout_s))
        raise


def _message(num_interrupts: int, *, timed_out: bool, timeout_s: float) -> str | None:
    if num_interrupts > 1:
        return "Killing the ranks."
    if timed_out:
        return f"No stop within {timeout_s:g} s: killing the ranks."
    if num_interrupts and timeout_s < math.inf:
        return f"Stopping within {timeout_s:g} s. Interrupt again to kill it."
    if num_interrupts:
        return (
            "Stopping: the ranks save a checkpoint after this step. Interrupt again to kill them."
        )
    return None


@dataclass(kw_only=True)
class _Ranks:
    """The state of a job's ranks."""

    job: "submitit.Job[None]"
    folder: Path
    processes: set[psutil.Process] = field(default_factory=set)
    gone_at: dict[int, float] = field(default_factory=dict)
    """By rank without an exit file: when its process was first missing."""

    signalled: set[psutil.Process] = field(default_factory=set)
    """Ranks that were asked to stop."""

    first: dict[str, float] = field(default_factory=dict)
    """When a rank first ended, failed, or was asked to stop, on the monotonic clock."""

    killed: bool = False
    memory_kills: int = field(default_factory=memory_kills)

    def running(self) -> list[psutil.Process]:
        """Ranks that run, as far as `update` has found them."""
        return [process for process in self.processes if is_alive(process)]

    def update(self) -> list[psutil.Process]:
        """Find ranks that started, ended or failed; return the running ones."""
        starts = read_starts(self.folder)
        self.processes.update(children_of(int(self.job.job_id)))
        running = self.running()
        pids = {process.pid for process in running}
        # Read last: a rank exits after it has written its exit code.
        codes = read_exit_codes(self.folder, self.job.num_tasks)
        for rank, code in enumerate(codes):
            start = starts.get(rank)
            is_gone = self.job.done() if start is None else start["pid"] not in pids
            if is_gone and code is None and not self.killed:
                self.gone_at.setdefault(rank, time.time())
        # A rank that ended before it recorded its start: submitit could not load it.
        is_lost = len(self.processes) == self.job.num_tasks and len(running) < codes.count(None)
        has_failed = any(code is not None and code not in OK_CODES for code in codes)
        if self.job.done() or len(running) < len(self.processes):
            self.first.setdefault("end", time.monotonic())
        if self.job.done() or is_lost or has_failed or self.gone_at:
            self.first.setdefault("failure", time.monotonic())
        return running

    def seconds_since(self, event: str) -> float:
        """Seconds since an event of `first`; negative if there was none."""
        return time.monotonic() - self.first.get(event, math.inf)

    def is_overdue(self) -> bool:
        """Whether some rank has exited, and the grace period of the others is over."""
        return self.seconds_since("end") > OK_GRACE_S or self.seconds_since("failure") > GRACE_S

    def request_stop(self) -> None:
        """Ask every rank that was not asked yet to stop."""
        self.first.setdefault("request", time.monotonic())
        waiting = set(self.running()) - self.signalled
        self.signalled |= waiting
        send(signal.SIGUSR2, *waiting)

    def kill(self) -> None:
        """Kill all running ranks; the first time, they write their stack traces before."""
        if not self.killed:
            self.update()
            self.killed = True
            # A stopped process runs no signal handler.
            for number in (signal.SIGCONT, signal.SIGUSR1):
                send(number, *self.running())
            time.sleep(STACKS_S)
        send(signal.SIGKILL, *self.running())

    def abandon(self, *, timeout_s: float) -> None:
        """Ask the ranks to save and exit; kill those that do not in time."""
        deadline = time.monotonic() + timeout_s
        while (self.update() or not self.job.done()) and time.monotonic() < deadline:
            self.request_stop()
            time.sleep(POLL_S)
        send(signal.SIGKILL, *self.running())

    def job_exit(self) -> JobExit:
        self._wait_for_watchdogs()
        out_of_memory = memory_kills() > self.memory_kills
        codes = read_exit_codes(self.folder, self.job.num_tasks)
        failures = read_failures(self.folder)
        failures += read_log_failures(self.folder, codes, log_of=self._log)
        failures += hang_failures(self.folder)
        reported = {failure.rank for failure in failures}
        for rank, gone in self.gone_at.items():
            if rank not in reported:
                failures.append(
                    exited_silently(
                        rank, time=gone, out_of_memory=out_of_memory, log=self._log(rank)
                    )
                )
        return JobExit(
            exit_codes=codes, failure=first_failure(failures), out_of_memory=out_of_memory
        )

    def _wait_for_watchdogs(self) -> None:
        """They end with their ranks, after they have written what they know."""
        pids = [start.get("watchdog", 0) for start in read_starts(self.folder).values()]
        deadline = time.monotonic() + WATCHDOG_S
        while any(map(psutil.pid_exists, pids)) and time.monotonic() < deadline:
            time.sleep(POLL_S / 4)

    def _log(self, rank: int) -> Path:
        return Path(self.job.task(rank).paths.stdout)
