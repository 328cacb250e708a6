"""Run a function on several real processes that meet as ranks of one group.

Ranks are forked from a server that has imported the product once: the imports take longer than most
of what tests do on ranks.

A rank that raises fails the test with its own traceback, the first one to fail first. A rank that
hangs fails it after `timeout_s` with the stack of every rank. Either way no process stays behind.
"""

import multiprocessing
import os
import pickle
import signal
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, TypeVar

from tests.support import rank_main

T = TypeVar("T")

_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(["tests.support.rank_imports"])

START_S = 90.0
"""For imports and the rendezvous; the caller's `timeout_s` counts from there."""
GRACE_S = 5.0
"""For the other ranks to end by themselves once one has failed."""
LOG_CHARACTERS = 4000


class RankFailedError(Exception):
    """A rank raised or died."""


class RanksHangError(Exception):
    """Not every rank was done in time."""


@dataclass(frozen=True, kw_only=True)
class RunRanks:
    """Calls functions on ranks; each call makes a folder of its own under `root`."""

    root: Path
    device: str = "cpu"

    def __call__(
        self,
        world_size: int,
        function: Callable[..., T],
        *args: Any,
        timeout_s: float = 180.0,
        group: bool = True,
        **kwargs: Any,
    ) -> list[T]:
        """Call `function(world, *args, **kwargs)` on `world_size` ranks.

        Args:
            world_size: processes to start, each with one CPU thread.
            function: of a module's top level, so that another process can import it.
            *args: arguments that can be pickled.
            timeout_s: seconds from the moment the ranks have met until the last one is done.
            group: whether the ranks meet as a process group before the call; a function that
                makes its own group says no.
            **kwargs: arguments that can be pickled.

        Returns:
            What each rank returned, in the order of ranks.

        Raises:
            RankFailedError: a rank raised or died.
            RanksHangError: a rank was not done in time.
        """
        __tracebackhide__ = True
        folder = Path(tempfile.mkdtemp(prefix="ranks-", dir=self.root))
        (folder / "call.pkl").write_bytes(pickle.dumps((function, args, kwargs)))
        processes: list[ForkServerProcess] = []
        # The group's own timeout comes later than ours, which can show where each rank stands.
        group_timeout_s = START_S + 2 * timeout_s
        try:
            for rank in range(world_size):
                call = rank_main.RankCall(
                    folder=folder,
                    rank=rank,
                    size=world_size,
                    device=self.device,
                    timeout_s=group_timeout_s,
                    group=group,
                    environment=dict(os.environ),
                )
                process = _SERVER.Process(target=rank_main.run, args=(call,))
                process.start()
                processes.append(process)
            _wait(processes, folder, timeout_s=timeout_s)
        finally:
            _kill(processes)
        return [
            pickle.loads((folder / f"rank-{rank}.result").read_bytes())
            for rank in range(world_size)
        ]


def _wait(processes: Sequence[ForkServerProcess], folder: Path, *, timeout_s: float) -> None:
    """Return when all ranks have ended well."""
    __tracebackhide__ = True
    deadline, have_met = time.monotonic() + START_S, False
    failed_at: float | None = None
    while True:
        codes = [process.exitcode for process in processes]
        if not any(code is None or code for code in codes):
            return
        now = time.monotonic()
        if failed_at is None and any(codes):
            failed_at = now
        if failed_at is not None and (None not in codes or now > failed_at + GRACE_S):
            raise RankFailedError(_failures(codes, folder))
        if not have_met and len(list(folder.glob("rank-*.met"))) == len(processes):
            deadline, have_met = now + timeout_s, True
        if now > deadline:
            raise RanksHangError(_stacks(processes, folder, timeout_s if have_met else START_S))
        time.sleep(0.02)


def _failures(codes: Sequence[int | None], folder: Path) -> str:
    """What the first rank to fail said, and a line for each other one."""
    failed = [rank for rank, code in enumerate(codes) if code]
    first = min(failed, key=lambda rank: _time_of(folder / f"rank-{rank}.error"))
    lines = [f"rank {first} of {len(codes)} failed first ({_ending(codes[first])}):"]
    lines += [_text(folder / f"rank-{first}.{kind}") for kind in ("error", "stack", "log")]
    lines += [f"rank {rank}: {_ending(code)}" for rank, code in enumerate(codes) if rank != first]
    return "\n".join(filter(None, lines))


def _time_of(path: Path) -> float:
    # A rank that was killed leaves no file, and others fail because of it.
    return path.stat().st_mtime if path.exists() else 0.0


def _ending(code: int | None) -> str:
    if code is None:
        return f"still ran {GRACE_S:.0f} s later and was killed"
    return f"ended by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _stacks(processes: Sequence[ForkServerProcess], folder: Path, timeout_s: float) -> str:
    """Where each rank stands now."""
    codes = [process.exitcode for process in processes]
    for process, code in zip(processes, codes, strict=True):
        if code is None:
            os.kill(process.pid or 0, signal.SIGUSR1)
    time.sleep(1.0)  # for the stacks to be written
    lines = [f"{codes.count(None)} of {len(codes)} ranks were not done after {timeout_s:.0f} s:"]
    for rank, code in enumerate(codes):
        lines.append(f"rank {rank}: {'hangs' if code is None else _ending(code)}")
        lines += [_text(folder / f"rank-{rank}.{kind}") for kind in ("stack", "log")]
    return "\n".join(filter(None, lines))


def _text(path: Path) -> str:
    """The end of a file, nothing if there is none."""
    if not path.exists():
        return ""
    return path.read_text(encoding="utf-8", errors="replace")[-LOG_CHARACTERS:].rstrip()


def _kill(processes: Sequence[ForkServerProcess]) -> None:
    """End every rank and whatever it started."""
    for process in processes:
        with suppress(ProcessLookupError):  # the whole session ended by itself
            os.killpg(process.pid or 0, signal.SIGKILL)
        process.join()
