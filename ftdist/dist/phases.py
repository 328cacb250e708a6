"""The phase that this rank is in, since when it made no progress, and how long it may.

The state lies in memory that the rank shares with its watchdog (`ftdist_launch.watchdog`), another
process: a rank that is stopped, asleep or waiting for a device cannot judge itself. A report of
progress writes 32 bytes to memory; no file is involved, whatever the number of ranks.
"""

import math
import mmap
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, get_args

from ftdist.config.schema import ClusterConfig

Phase = Literal["start", "load", "step", "save", "evaluate"]
"""start: until the ranks have met; load: model, data and checkpoint, until the first step."""

_PHASES: tuple[Phase, ...] = get_args(Phase)
_LAYOUT = struct.Struct("<ddqq")

SLOWEST = 5.0
"""A step may take this many times as long as the first step took."""

SLOWEST_GIB_PER_S = 0.5
"""Loading and saving may take as long as a file system of this speed does, for all ranks together.
"""

CHECKPOINTS_PER_PHASE = 3
"""Checkpoints' worth of bytes in one wait: the save under way, the next, and what is deleted; or
a checkpoint that is verified and read, and the model."""

NO_LIMIT_S = 365 * 86_400.0
"""Of collectives whose phase has no limit: they need one."""

COLLECTIVE_MARGIN_S = 30.0
"""Seconds that a collective may outlast its phase: the watchdog, which sees more, comes first."""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """The last progress of a rank."""

    phase: Phase
    step: int
    """The step that it is in or was in last, from 1; 0: none yet."""

    time: float
    """When, on the monotonic clock of its machine."""

    limit_s: float
    """How long it may now make no progress, seconds."""


class SharedProgress:
    """Memory with the last progress, shared with processes that are forked later.

    Args:
        start_s: how long this process may take to report its first progress.
    """

    def __init__(self, *, start_s: float = math.inf) -> None:
        self._memory = mmap.mmap(-1, _LAYOUT.size)
        self.write(Progress(phase="start", step=0, time=time.monotonic(), limit_s=start_s))

    def write(self, progress: Progress) -> None:
        """Replace the last progress."""
        number = _PHASES.index(progress.phase)
        _LAYOUT.pack_into(self._memory, 0, progress.time, progress.limit_s, progress.step, number)

    def read(self) -> Progress:
        """The last progress. A reader that comes while it is written may see parts of two."""
        at, limit_s, step, number = _LAYOUT.unpack_from(self._memory)
        return Progress(phase=_PHASES[number], step=step, time=at, limit_s=limit_s)


class PhaseTracker:
    """Tells which phase this rank is in, and gives its collectives the limit of the phase.

    Args:
        cluster: has the limits, in seconds; None: the phase has none.
        memory: where progress is written; None: nobody watches.
        checkpoint_gib: size of a checkpoint, which raises the limits of loading and saving.
    """

    def __init__(
        self,
        cluster: ClusterConfig,
        memory: SharedProgress | None = None,
        *,
        checkpoint_gib: float = 0.0,
    ) -> None:
        self._memory = memory
        transfer_s = CHECKPOINTS_PER_PHASE * checkpoint_gib / SLOWEST_GIB_PER_S
        self._limits: dict[Phase, float] = {
            # Ranks that came first wait as long for the last one.
            "start": cluster.init_timeout_s + COLLECTIVE_MARGIN_S,
            "load": max(_limit_s(cluster.load_timeout_s), transfer_s),
            "step": _limit_s(cluster.step_timeout_s),
            "save": max(_limit_s(cluster.save_timeout_s), transfer_s),
            "evaluate": _limit_s(cluster.eval_timeout_s),
        }
        self._set_collective_timeout: Callable[[float], None] | None = None
        self._collective_s = math.nan
        self._phase: Phase = "start"
        self._step = 0
        self._step_began = math.nan
        self._first_step_s: float | None = None
        self._write()

    def limit_collectives(self, set_timeout: Callable[[float], None]) -> None:
        """Limit collectives too from now on.

        Args:
            set_timeout: sets the limit of all later collectives, seconds.
        """
        self._set_collective_timeout = set_timeout
        self._write()

    @property
    def limit_s(self) -> float:
        """Seconds that this rank may now make no progress.

        The first step compiles kernels and grows caches: it has the limit of loading, and its
        duration counts for that of later steps. Without a limit, it is infinite.
        """
        if self._phase != "step":
            return self._limits[self._phase]
        if self._first_step_s is None:
            return self._limits["load"]
        return max(self._limits["step"], SLOWEST * self._first_step_s)

    @property
    def load_collectives_s(self) -> float:
        """Seconds that a collective may take from the beginning of loading on."""
        return collective_timeout_s(self._limits["load"])

    def progress(self) -> None:
        """Report progress in the same phase."""
        self._write()

    def enter(self, phase: Phase) -> None:
        """Begin a phase, which ends with the next one."""
        self._phase = phase
        self._write()

    def begin_step(self, number: int) -> None:
        """Begin a step, counted from 1, with the wait for its data."""
        self._step, self._step_began = number, time.monotonic()
        self.enter("step")

    def end_step(self) -> None:
        """A step has ended, in a collective. What follows, but saves and evaluations, is quick."""
        if self._first_step_s is None:
            self._first_step_s = time.monotonic() - self._step_began
        self._write()

    @contextmanager
    def phase(self, phase: Phase) -> Iterator[None]:
        """Be in a phase within a `with` block, or a function that this decorates."""
        before = self._phase
        self.enter(phase)
        yield
        self.enter(before)  # not after an error: the attempt ends, and its groups may be broken

    def _write(self) -> None:
        limit_s = self.limit_s
        if self._set_collective_timeout is not None and limit_s != self._collective_s:
            self._collective_s = limit_s
            self._set_collective_timeout(collective_timeout_s(limit_s))
        if self._memory is not None:
            self._memory.write(
                Progress(phase=self._phase, step=self._step, time=time.monotonic(), limit_s=limit_s)
            )


def collective_timeout_s(limit_s: float | None) -> float:
    """Seconds that a collective may take in a phase with this limit; None: it has none."""
    return min(_limit_s(limit_s) + COLLECTIVE_MARGIN_S, NO_LIMIT_S)


def _limit_s(seconds: float | None) -> float:
    return math.inf if seconds is None else float(seconds)
