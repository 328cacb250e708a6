"""What is measured of a run of several ranks, whoever trains: speed, memory, the first step.

Only the standard library: the peers' ranks import this too, each in its own environment.
"""

import contextlib
import json
import os
import statistics
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

GIB = 2**30
SAMPLE_EVERY_S = 0.05
WARM_UP_STEPS = 2
"""Steps that no speed counts: the first one traces the order of parameters, the second uses it."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One optimizer step, as one rank or, summed, as all ranks saw it."""

    step: int
    """Counted from 1."""

    time: float
    """When it was done, seconds since the epoch."""

    tokens: int
    """Real tokens, no padding."""

    loss_tokens: int
    """Tokens with a loss."""

    loss: float
    """As the trainer gives it; nothing is concluded from it but that training went on."""


class StepLog:
    """A rank's steps on disk, one JSON object a line, for the parent to read."""

    def __init__(self, folder: Path, *, rank: int) -> None:
        self._path = step_log(folder, rank)

    def add(self, step: Step) -> None:
        """Write one step."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(step)) + "\n")


def step_log(folder: Path, rank: int) -> Path:
    """Where a peer's rank writes its steps."""
    return folder / f"rank-{rank}.steps.jsonl"


def read_steps(folder: Path, *, ranks: int) -> tuple[Step, ...]:
    """The steps of all ranks as one: tokens summed, times and losses of rank 0.

    Raises:
        ValueError: a rank wrote none, or fewer than another.
    """
    logs = []
    for rank in range(ranks):
        path = step_log(folder, rank)
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        logs.append([Step(**json.loads(line)) for line in lines])
    if not logs[0] or len({len(log) for log in logs}) > 1:
        raise ValueError(f"{folder}: ranks wrote {[len(log) for log in logs]} steps")
    return tuple(
        Step(
            step=same[0].step,
            time=same[0].time,
            tokens=sum(one.tokens for one in same),
            loss_tokens=sum(one.loss_tokens for one in same),
            loss=same[0].loss,
        )
        for same in zip(*logs, strict=True)
    )


@dataclass(frozen=True, kw_only=True)
class Sample:
    """What one process held and had used at one time."""

    time: float
    process: int
    gib: float
    """Anonymous memory."""

    cpu_s: float
    """Processor time so far, all its threads, in user and in system mode."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One configuration, run once."""

    name: str
    launched: float
    """When the command was started, seconds since the epoch."""

    ranks_started: float
    """When the last of its ranks was started as a process."""

    steps: tuple[Step, ...]
    peaks_gib: tuple[float, ...]
    """Highest anonymous memory of each rank, up to the end of the last step."""

    cpu_step_s: float
    """Processor time of a step, all ranks, without the first steps: steadier than wall time where
    other processes want the cores too, and a sign of them where it is far below it."""

    load_before: float
    """Mean number of processes that wanted a core in the minute before."""

    @property
    def tokens_per_s(self) -> float:
        """Real tokens of all ranks over wall time, without the first steps."""
        return sum(step.tokens for step in self._counted) / self._counted_s

    @property
    def loss_tokens_per_s(self) -> float:
        """Loss tokens of all ranks over wall time, without the first steps."""
        return sum(step.loss_tokens for step in self._counted) / self._counted_s

    @property
    def step_s(self) -> float:
        """Mean wall time of a step, without the first steps."""
        return self._counted_s / len(self._counted)

    @property
    def peak_gib(self) -> float:
        """Peak of the rank that needs most."""
        return max(self.peaks_gib)

    @property
    def first_step_s(self) -> float:
        """From the start of the ranks' processes to the end of the first step."""
        return self.steps[0].time - self.ranks_started

    @property
    def command_to_first_step_s(self) -> float:
        """From the start of the command to the end of the first step."""
        return self.steps[0].time - self.launched

    @property
    def _counted(self) -> tuple[Step, ...]:
        return self.steps[WARM_UP_STEPS:]

    @property
    def _counted_s(self) -> float:
        return self.steps[-1].time - self.steps[WARM_UP_STEPS - 1].time


def ratio_by_round(
    ours: Sequence[Outcome], theirs: Sequence[Outcome], *, value: Callable[[Outcome], float]
) -> tuple[float, ...]:
    """Our value over theirs, round by round: both were measured within minutes of each other."""
    return tuple(value(own) / value(other) for own, other in zip(ours, theirs, strict=True))


def median(values: Iterable[float]) -> float:
    """The middle value, or the mean of the two middle ones."""
    return statistics.median(values)


class MemorySampler:
    """Reads the anonymous memory of processes, twenty times a second, for the length of a `with`.

    Anonymous memory is what a process needs for itself: weights, gradients, optimizer state,
    activations. Pages of mapped files, which the kernel takes back when it needs them, are left
    out, and so are the processes' own peaks as the kernel keeps them, which count such pages.

    Args:
        processes: asked before each reading, for ranks may appear only later.
    """

    def __init__(self, processes: Callable[[], Iterable[int]]) -> None:
        self._processes = processes
        self._samples: list[Sample] = []
        self._started: dict[int, float] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()

    def peaks_gib(self, *, until: float) -> tuple[float, ...]:
        """Highest reading of each process up to a time, in the order in which they appeared."""
        return peaks(self._samples, until=until)

    def cpu_step_s(self, steps: Sequence[Step]) -> float:
        """Processor time of a step, all processes, without the first steps."""
        first, last = steps[WARM_UP_STEPS - 1].time, steps[-1].time
        return cpu_s(self._samples, first, last) / (len(steps) - WARM_UP_STEPS)

    @property
    def started(self) -> dict[int, float]:
        """When each process that was read had been started, seconds since the epoch."""
        return dict(self._started)

    def _sample(self) -> None:
        self._read()  # at least once, however short the `with` is
        while not self._ended.wait(SAMPLE_EVERY_S):
            self._read()

    def _read(self) -> None:
        for process in self._processes():
            with contextlib.suppress(OSError):  # it has ended, or not begun
                times = process_times(process)
                self._started.setdefault(process, times.started)
                gib = anonymous_memory_gib(process)
                if gib is not None:
                    self._samples.append(
                        Sample(time=time.time(), process=process, gib=gib, cpu_s=times.cpu_s)
                    )


def peaks(samples: Iterable[Sample], *, until: float) -> tuple[float, ...]:
    """Highest reading of each process up to a time, in the order in which they appeared."""
    highest: dict[int, float] = {}
    for sample in samples:
        if sample.time <= until:
            highest[sample.process] = max(sample.gib, highest.get(sample.process, 0.0))
    return tuple(highest.values())


def cpu_s(samples: Iterable[Sample], first: float, last: float) -> float:
    """Processor time between two times, summed over processes; as near as there are readings."""
    used: dict[int, list[float]] = {}
    for sample in samples:
        if first <= sample.time <= last:
            used.setdefault(sample.process, []).append(sample.cpu_s)
    return sum(readings[-1] - readings[0] for readings in used.values())


def anonymous_memory_gib(process: int) -> float | None:
    """Anonymous resident memory of a process, GiB; None of one that is ending. Linux only.

    Raises:
        OSError: there is no such process.
    """
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024 / GIB
    return None


@dataclass(frozen=True, kw_only=True)
class ProcessTimes:
    """When a process was started, and the processor time it has used since."""

    started: float
    """Seconds since the epoch, to a hundredth."""

    cpu_s: float


def process_times(process: int) -> ProcessTimes:
    """Times of a process, from /proc. Linux only.

    Raises:
        OSError: there is no such process.
    """
    # The second field, the name in parentheses, may hold anything.
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    ticks_per_s = os.sysconf("SC_CLK_TCK")
    since_boot_s = int(fields[19]) / ticks_per_s
    up_s = float(Path("/proc/uptime").read_text().split()[0])
    return ProcessTimes(
        started=time.time() - up_s + since_boot_s,
        cpu_s=(int(fields[11]) + int(fields[12])) / ticks_per_s,
    )
