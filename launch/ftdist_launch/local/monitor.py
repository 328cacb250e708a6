"""The ranks of a job on this machine: watched, asked to stop, and ended together."""

import math
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from ftdist_launch.attempts import CALM_CODES, JobExit
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

LOOK_EVERY_S = 0.2
GRACE_S = 5.0
"""How long ranks have to end by themselves once one has failed."""

STACKS_S = 0.5
"""How long a rank has to write its stacks before it is killed."""

CALM_GRACE_S = 120.0
"""How long ranks have to end by themselves once one has ended without a failure."""


@dataclass(frozen=True, kw_only=True)
class StopPolicy:
    """What a wish to stop does to a job, and what the user is told of it."""

    asked: str
    again: str
    late: str = ""
    patience_s: float = math.inf
    """After the first wish; then the ranks are killed."""

    @classmethod
    def without_saving(cls, what: str, *, patience_s: float = 10.0) -> "StopPolicy":
        """Of work that has nothing to save.

        Args:
            what: such as "the comparison".
            patience_s: a batch in native code hears no signal.
        """
        seconds = f"{patience_s:g} seconds"
        return cls(
            asked=f"Asked to stop: {what} ends within {seconds}. Ask once more to kill it.",
            again="Asked again: it is killed.",
            late=f"It has not ended within {seconds}: it is killed.",
            patience_s=patience_s,
        )


SAVING = StopPolicy(
    asked="Asked to stop: the ranks save at the end of this step. Ask once more to kill them.",
    again="Asked again: the ranks are killed.",
)
"""Training: however long a step takes."""


@dataclass
class InterruptCount:
    """How often, and by which signal, `ftdist` was asked to stop."""

    signals: list[int] = field(default_factory=list)

    @classmethod
    @contextmanager
    def listening(cls) -> "Iterator[InterruptCount]":
        """Count signals instead of dying of them, for the length of a `with` block."""
        interrupts = cls()

        def remember(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
            interrupts.signals.append(number)

        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {number: signal.signal(number, remember) for number in numbers}
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
    log: Callable[[str], None],
    stopping: StopPolicy = SAVING,
) -> JobExit:
    """Watch a job until every rank has ended.

    The first wish to stop is passed on to the ranks as USR2, the second kills them, and so does the
    end of patience. Once one rank has failed, the others have `GRACE_S` to end, then their stacks
    are written and they are killed.

    Args:
        job: started by `ftdist_launch.local.submit`.
        folder: where its ranks leave how they ended.
        interrupts: filled by signal handlers meanwhile.
        tick: called a few times a second, to show progress. Its OSErrors, and those of `say`,
            are passed over: a terminal that was closed must not leave ranks behind.
        log: for the few sentences that a user has to see.
        stopping: what a wish to stop does.
    """
    ranks = _Ranks(job=job, folder=folder, patience_s=stopping.patience_s)
    said: set[str] = set()
    try:
        while not (job.ended and not ranks.running()):
            ranks.look()
            wishes = len(interrupts.signals)
            if wishes:
                ranks.ask_to_stop()
            late = ranks.late()
            if wishes > 1 or late or ranks.overdue():
                ranks.kill()
            with suppress(OSError):
                if wishes:
                    answer = stopping.again if wishes > 1 else stopping.asked
                    answer = stopping.late if late else answer
                    if answer not in said:
                        said.add(answer)
                        log(answer)
                tick()
            time.sleep(LOOK_EVERY_S)
        ranks.look()
        with suppress(OSError):
            tick()
        return ranks.ended()
    except BaseException:
        ranks.give_up()
        raise


def give_up(job: LocalJob, *, folder: Path, stopping: StopPolicy = SAVING) -> None:
    """End the ranks of a job that nobody can watch: asked to save first, then killed."""
    _Ranks(job=job, folder=folder, patience_s=stopping.patience_s).give_up()


@dataclass(kw_only=True)
class _Ranks:
    """What is known of a job's ranks."""

    job: LocalJob
    folder: Path
    patience_s: float
    seen: set[ProcessId] = field(default_factory=set)
    gone_at: dict[int, float] = field(default_factory=dict)
    """Rank without an exit code: when its process was first missed."""

    told: set[ProcessId] = field(default_factory=set)
    """Ranks that were asked to stop."""

    first_wish: float | None = None
    first_end: float | None = None
    first_failure: float | None = None
    killed: bool = False
    memory_kills: int = field(default_factory=memory_kills)

    def running(self) -> list[ProcessId]:
        return [process for process in self.seen if process.alive]

    def look(self) -> None:
        """Notice ranks that have started, and ranks that have gone without a word."""
        self.seen.update(children_of(self.job.controller_pid))
        if self.killed:
            return
        for rank in range(self.job.size):
            if rank not in self.gone_at and self._is_gone(rank) and self.exit_code(rank) is None:
                self.gone_at[rank] = time.time()

    def _is_gone(self, rank: int) -> bool:
        """Whether a rank's process has ended, as far as can be known."""
        started = read_json(start_path(self.folder, rank))
        if started is None:
            return self.job.ended
        return not ProcessId(pid=started["pid"], start_ticks=started["start_ticks"]).alive

    def exit_code(self, rank: int) -> int | None:
        left = read_json(exit_path(self.folder, rank))
        return None if left is None else int(left["exit_code"])

    def overdue(self) -> bool:
        """Whether some rank has ended, and the others have had their time to do so too."""
        now = time.monotonic()
        if self.first_end is None and self._some_ended():
            self.first_end = now
        if self.first_failure is None and self._some_failed():
            self.first_failure = now
        return (self.first_end is not None and now - self.first_end > CALM_GRACE_S) or (
            self.first_failure is not None and now - self.first_failure > GRACE_S
        )

    def _some_ended(self) -> bool:
        return self.job.ended or len(self.running()) < len(self.seen)

    def _some_failed(self) -> bool:
        # Who runs is asked before who left an exit code: a rank ends after it has left one.
        running = len(self.running())
        codes = [self.exit_code(rank) for rank in range(self.job.size)]
        # A rank that ended before it could say that it started: submitit could not load it.
        lost = len(self.seen) == self.job.size and running < codes.count(None)
        failed = any(code is not None and code not in CALM_CODES for code in codes)
        return lost or failed or bool(self.gone_at) or self.job.ended

    def ask_to_stop(self) -> None:
        """Tell every rank that was not told yet."""
        self.first_wish = self.first_wish or time.monotonic()
        for process in self.running():
            if process not in self.told:
                self.told.add(process)
                process.send(signal.SIGUSR2)

    def late(self) -> bool:
        """Whether ranks that were asked to stop have had their time for it."""
        return self.first_wish is not None and time.monotonic() - self.first_wish > self.patience_s

    def kill(self) -> None:
        """Kill every rank that runs; the first time, their stacks are written before."""
        if not self.killed:
            self.look()
            self.killed = True
            for process in self.running():
                process.send(signal.SIGUSR1)
            time.sleep(STACKS_S)
        for process in self.running():
            process.send(signal.SIGKILL)

    def give_up(self) -> None:
        """Ask the ranks to save and end; kill those that have not after a while."""
        patience = time.monotonic() + min(CALM_GRACE_S, self.patience_s)
        while time.monotonic() < patience:
            self.seen.update(children_of(self.job.controller_pid))
            if self.job.ended and not self.running():
                return
            self.ask_to_stop()
            time.sleep(LOOK_EVERY_S)
        for process in self.running():
            process.send(signal.SIGKILL)

    def ended(self) -> JobExit:
        codes = tuple(self.exit_code(rank) for rank in range(self.job.size))
        out_of_memory = memory_kills() > self.memory_kills
        failures = read_failures(self.folder)
        said = {failure.rank for failure in failures}
        failures += [
            exited_silently(rank, time=gone, out_of_memory=out_of_memory, log=self.job.log(rank))
            for rank, gone in self.gone_at.items()
            if rank not in said
        ]
        return JobExit(
            exit_codes=codes, failure=first_failure(failures), out_of_memory=out_of_memory
        )
