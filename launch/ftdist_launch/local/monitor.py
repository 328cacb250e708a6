"""Monitor the ranks of a local job: pass on stop requests, and end all ranks when one fails."""

import math
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from ftdist.io.progress import LogFn
from ftdist_launch.attempts import OK_CODES, JobExit
from ftdist_launch.local.processes import ProcessId, children_of, memory_kills
from ftdist_launch.local.submit import LocalJob
from ftdist_launch.rank_failures import (
    exit_path,
    exited_silently,
    first_failure,
    read_failures,
    read_json,
    start_path,
)

POLL_S = 0.2
GRACE_S = 5.0
"""How long ranks may take to exit once one has failed."""

STACKS_S = 0.5
"""How long a rank may take to write its stack traces before it is killed."""

OK_GRACE_S = 120.0
"""How long ranks may take to exit once one has exited without a failure."""


@dataclass(frozen=True, kw_only=True)
class StopPolicy:
    """How a job reacts to interrupts, and the messages that say so."""

    first: str
    second: str
    timed_out: str = ""
    timeout_s: float = math.inf
    """After the first interrupt; then the ranks are killed."""

    @classmethod
    def without_saving(cls, work: str, *, timeout_s: float = 10.0) -> "StopPolicy":
        """The policy of work that has nothing to save.

        Args:
            work: such as "the comparison".
            timeout_s: a batch in native code handles no signal.
        """
        seconds = f"{timeout_s:g} {'second' if timeout_s == 1 else 'seconds'}"
        return cls(
            first=f"Stopping {work} within {seconds}. Interrupt again to kill it.",
            second="Killing it.",
            timed_out=f"It did not stop within {seconds}: killing it.",
            timeout_s=timeout_s,
        )


SAVING = StopPolicy(
    first="Stopping: the ranks save a checkpoint after this step. Interrupt again to kill them.",
    second="Killing the ranks.",
)
"""The policy of training: it waits however long a step takes."""


@dataclass
class InterruptCount:
    """Interrupts (SIGINT, SIGTERM, SIGHUP) that `ftdist` received."""

    signals: list[int] = field(default_factory=list)

    @classmethod
    @contextmanager
    def listening(cls) -> "Iterator[InterruptCount]":
        """Count these signals instead of exiting, within a `with` block."""
        interrupts = cls()

        def record(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
            interrupts.signals.append(number)

        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {number: signal.signal(number, record) for number in numbers}
        try:
            yield interrupts
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @property
    def first(self) -> int | None:
        """The first signal."""
        return self.signals[0] if self.signals else None


def follow(
    job: LocalJob,
    *,
    folder: Path,
    interrupts: InterruptCount,
    tick: Callable[[], None],
    log: LogFn,
    policy: StopPolicy = SAVING,
) -> JobExit:
    """Monitor a job until every rank has exited.

    The first interrupt is passed on to the ranks as SIGUSR2; the second one, or the timeout of the
    policy, kills them. Once one rank has failed, the others have `GRACE_S` to exit; then they write
    their stack traces and are killed.

    Args:
        job: to monitor.
        folder: where its ranks record how they ended.
        interrupts: updated by signal handlers meanwhile.
        tick: shows progress. OSErrors of `tick` and `log` (a closed terminal) are ignored.
        log: for messages to the user.
        policy: how the job reacts to interrupts.
    """
    ranks = _Ranks(job=job, folder=folder, timeout_s=policy.timeout_s)
    messages: set[str] = set()
    try:
        while not (job.ended and not ranks.running()):
            ranks.update()
            num_interrupts = len(interrupts.signals)
            if num_interrupts:
                ranks.request_stop()
            timed_out = ranks.timed_out()
            if num_interrupts > 1 or timed_out or ranks.overdue():
                ranks.kill()
            with suppress(OSError):
                if num_interrupts:
                    message = policy.second if num_interrupts > 1 else policy.first
                    message = policy.timed_out if timed_out else message
                    if message not in messages:
                        messages.add(message)
                        log(message)
                tick()
            time.sleep(POLL_S)
        ranks.update()
        with suppress(OSError):
            tick()
        return ranks.job_exit()
    except BaseException:
        ranks.abandon()
        raise


def abandon(job: LocalJob, *, folder: Path, policy: StopPolicy = SAVING) -> None:
    """End the ranks of a job that cannot be monitored: let them save first, then kill them."""
    _Ranks(job=job, folder=folder, timeout_s=policy.timeout_s).abandon()


@dataclass(kw_only=True)
class _Ranks:
    """The state of a job's ranks."""

    job: LocalJob
    folder: Path
    timeout_s: float
    processes: set[ProcessId] = field(default_factory=set)
    gone_at: dict[int, float] = field(default_factory=dict)
    """By rank without an exit file: when its process was first missing."""

    signalled: set[ProcessId] = field(default_factory=set)
    """Ranks that were asked to stop."""

    first_request: float | None = None
    first_end: float | None = None
    first_failure: float | None = None
    killed: bool = False
    memory_kills: int = field(default_factory=memory_kills)

    def running(self) -> list[ProcessId]:
        return [process for process in self.processes if process.alive]

    def update(self) -> None:
        """Find ranks that started, and ranks that exited without an exit file."""
        self.processes.update(children_of(self.job.controller_pid))
        if self.killed:
            return
        for rank in range(self.job.size):
            if rank not in self.gone_at and self._is_gone(rank) and self.exit_code(rank) is None:
                self.gone_at[rank] = time.time()

    def _is_gone(self, rank: int) -> bool:
        """Whether a rank's process has ended, as far as known."""
        started = read_json(start_path(self.folder, rank))
        if started is None:
            return self.job.ended
        return not ProcessId(pid=started["pid"], start_ticks=started["start_ticks"]).alive

    def exit_code(self, rank: int) -> int | None:
        exit_file = read_json(exit_path(self.folder, rank))
        return None if exit_file is None else int(exit_file["exit_code"])

    def overdue(self) -> bool:
        """Whether some rank has exited, and the grace period of the others is over."""
        now = time.monotonic()
        if self.first_end is None and self._some_ended():
            self.first_end = now
        if self.first_failure is None and self._some_failed():
            self.first_failure = now
        return (self.first_end is not None and now - self.first_end > OK_GRACE_S) or (
            self.first_failure is not None and now - self.first_failure > GRACE_S
        )

    def _some_ended(self) -> bool:
        return self.job.ended or len(self.running()) < len(self.processes)

    def _some_failed(self) -> bool:
        # Read before the exit codes: a rank exits after it has written its own.
        running = len(self.running())
        codes = [self.exit_code(rank) for rank in range(self.job.size)]
        # A rank that ended before it recorded its start: submitit could not load it.
        lost = len(self.processes) == self.job.size and running < codes.count(None)
        failed = any(code is not None and code not in OK_CODES for code in codes)
        return lost or failed or bool(self.gone_at) or self.job.ended

    def request_stop(self) -> None:
        """Ask every rank that was not asked yet to stop."""
        self.first_request = self.first_request or time.monotonic()
        for process in self.running():
            if process not in self.signalled:
                self.signalled.add(process)
                process.send(signal.SIGUSR2)

    def timed_out(self) -> bool:
        """Whether the ranks did not stop in time."""
        if self.first_request is None:
            return False
        return time.monotonic() - self.first_request > self.timeout_s

    def kill(self) -> None:
        """Kill all running ranks; the first time, they write their stack traces before."""
        if not self.killed:
            self.update()
            self.killed = True
            for process in self.running():
                process.send(signal.SIGUSR1)
            time.sleep(STACKS_S)
        for process in self.running():
            process.send(signal.SIGKILL)

    def abandon(self) -> None:
        """Ask the ranks to save and exit; kill those that do not in time."""
        deadline = time.monotonic() + min(OK_GRACE_S, self.timeout_s)
        while time.monotonic() < deadline:
            self.processes.update(children_of(self.job.controller_pid))
            if self.job.ended and not self.running():
                return
            self.request_stop()
            time.sleep(POLL_S)
        for process in self.running():
            process.send(signal.SIGKILL)

    def job_exit(self) -> JobExit:
        codes = tuple(self.exit_code(rank) for rank in range(self.job.size))
        out_of_memory = memory_kills() > self.memory_kills
        failures = read_failures(self.folder)
        reported = {failure.rank for failure in failures}
        failures += [
            exited_silently(rank, time=gone, out_of_memory=out_of_memory, log=self.job.log(rank))
            for rank, gone in self.gone_at.items()
            if rank not in reported
        ]
        return JobExit(
            exit_codes=codes, failure=first_failure(failures), out_of_memory=out_of_memory
        )
