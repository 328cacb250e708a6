"""A process beside each rank that ends it when it hangs, after writing where it was.

It shares memory with its rank (`ftdist.dist.phases`) and looks at it twice per second. A rank that
makes no progress for the limit of its phase hangs, and so does one that stays stopped (SIGSTOP).
Then the watchdog writes to the attempt's folder

    stacks-node3.txt     the Python stack of the rank, or what the kernel knows of it
    ranks-node3.jsonl    a line with phase, step, seconds and state (`ftdist_launch.hangs` reads it)

and kills the rank. Being another process, it sees ranks that are stopped, asleep, or in a system
call of a file system that does not answer; being a process of the same group, it stops with its
rank when a person or SLURM suspends the whole job, which is no hang. SIGUSR1 to a rank writes its
stack at any time.
"""

import faulthandler
import math
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ftdist.dist.phases import Progress, SharedProgress
from ftdist.errors import HangError
from ftdist.io.host import node_name
from ftdist_launch.hangs import Hang, is_waiting, record_hang, stacks_file
from ftdist_launch.rank_records import record_exit

POLL_S = 0.5
STOPPED_S = 60.0
"""How long a rank may stay stopped; nothing but a signal makes it go on."""

PAUSED_S = 5.0
"""A longer time between two looks: the watchdog itself was suspended, and so was its rank."""

STACK_S = 3.0
"""How long a rank may take to write its stack."""

WRITE_S = 10.0
"""How long the report may take to be written: the file system may be what hangs."""

REPORT_S = 5.0
"""Between the report and the end of the rank: the other ranks, which wait for it, report too."""

KILL_S = 30.0

PROC = Path("/proc")
STATES = {"T": "stopped", "D": "uninterruptible", "S": "asleep", "R": "running"}


def start_watchdog(folder: Path, rank: int, memory: SharedProgress) -> int:
    """Start the watchdog of this process, which is a rank; its pid.

    Args:
        folder: of the attempt.
        rank: this one.
        memory: where it reports its progress.
    """
    stacks = os.memfd_create("stacks")
    faulthandler.register(signal.SIGUSR1, file=stacks, all_threads=True)
    faulthandler.enable()  # of a crash, to the log
    ends, held = os.pipe()
    watched = os.getpid()
    pid = os.fork()
    if pid:
        os.close(ends)
        return pid
    try:
        os.close(held)  # the end of the rank closes it: the watchdog wakes
        _let_go()
        _Watchdog(folder=folder, rank=rank, pid=watched, memory=memory, stacks=stacks).run(ends)
    finally:
        os._exit(0)


def _let_go() -> None:
    """Ignore the signals of the job, and hold none of its outputs open."""
    faulthandler.unregister(signal.SIGUSR1)
    faulthandler.disable()
    stops = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
    for number in stops:
        signal.signal(number, signal.SIG_IGN)
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)


@dataclass(kw_only=True)
class _Watchdog:
    folder: Path
    rank: int
    pid: int
    memory: SharedProgress
    stacks: int
    """File in memory to which the rank writes its stack on SIGUSR1."""

    written: int = 0
    """Bytes of it that were copied to the attempt's folder."""

    def run(self, ends: int) -> None:
        """Watch until the rank has ended."""
        looked = paused = time.monotonic()
        stopped: float | None = None
        suspect: Progress | None = None
        while self._is_alive():
            readable, _, _ = select.select([ends], [], [], POLL_S)
            now = time.monotonic()
            if now - looked > PAUSED_S:
                paused, stopped = now, None
            looked = now
            progress, state = self.memory.read(), process_state(self.pid)
            stopped = (stopped or now) if state == "T" else None
            self._copy_stacks("asked for by SIGUSR1")
            idle_s = now - max(progress.time, paused)
            is_limited = progress.limit_s < math.inf
            is_stopped = (
                is_limited
                and stopped is not None
                and now - stopped > min(STOPPED_S, progress.limit_s)
            )
            if not is_stopped and idle_s <= progress.limit_s:
                suspect = None
            elif suspect != progress:  # it may have been read while it was written
                suspect = progress
            else:
                self._end_rank(progress, state=state, idle_s=now - progress.time)
                return
            if readable:
                time.sleep(POLL_S / 10)  # the rank ends

    def _end_rank(self, progress: Progress, *, state: str, idle_s: float) -> None:
        kernel = kernel_state(self.pid)
        stack = self._stack()
        if state == "T":
            self._signal(signal.SIGSTOP)  # else the others go on, and their stacks show nothing
        hang = Hang(
            rank=self.rank,
            time=time.time(),
            idle_s=round(idle_s, 1),
            phase=progress.phase,
            step=progress.step,
            state=STATES.get(state, state),
            waits=is_waiting(stack),
            node=node_name(),
        )

        def report() -> None:
            text = stack or f"No Python stack within {STACK_S:.0f} s. The kernel says:\n{kernel}"
            self._append(f"{hang.describe()}.", text)
            with suppress(OSError):  # the exit code has a reserve on a full disk
                record_hang(self.folder, hang)
            record_exit(self.folder, self.rank, HangError.exit_code)

        _within(WRITE_S, report)
        if state == "T" and idle_s < progress.limit_s:
            # The others wait for this rank, and their own limit is not over yet.
            _within(WRITE_S, _ask_all_for_stacks)
        self._wait(REPORT_S)
        self._signal(signal.SIGKILL)
        self._wait(KILL_S)

    def _stack(self) -> str:
        """The Python stack of the rank; empty if it does not answer."""
        before = os.fstat(self.stacks).st_size
        self._signal(signal.SIGUSR1)
        self._signal(signal.SIGCONT)  # a stopped process runs no signal handler
        deadline, size = time.monotonic() + STACK_S, before
        while time.monotonic() < deadline and self._is_alive():
            time.sleep(0.1)
            if before < size == os.fstat(self.stacks).st_size:
                break  # it does not grow any more
            size = os.fstat(self.stacks).st_size
        self.written = size
        return os.pread(self.stacks, size - before, before).decode(errors="replace")

    def _copy_stacks(self, why: str) -> None:
        """Copy what the rank has written since the last look."""
        size = os.fstat(self.stacks).st_size
        if size == self.written:
            return
        time.sleep(POLL_S / 10)  # for the rest of it
        size = os.fstat(self.stacks).st_size
        text = os.pread(self.stacks, size - self.written, self.written).decode(errors="replace")
        self.written = size
        _within(WRITE_S, lambda: self._append(f"Rank {self.rank}, {why}:", text))

    def _append(self, title: str, text: str) -> None:
        with suppress(OSError), stacks_file(self.folder).open("a", encoding="utf-8") as file:
            file.write(f"{title}\n{text.rstrip()}\n\n")

    def _wait(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self._is_alive() and time.monotonic() < deadline:
            time.sleep(POLL_S / 10)

    def _is_alive(self) -> bool:
        """Whether the rank runs: with its end, another process becomes the parent of this one."""
        if os.getppid() == self.pid:
            return True
        self._copy_stacks("before it ended")
        return False

    def _signal(self, number: signal.Signals) -> None:
        if os.getppid() == self.pid:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)


def process_state(pid: int) -> str:
    """The state of a process as one letter (see `man 5 proc`); empty if it has ended."""
    with suppress(OSError, IndexError):
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0]
    return ""


def kernel_state(pid: int) -> str:
    """What the kernel tells of a process: its state, and the function and system call it is in."""
    lines = []
    for name in ("wchan", "syscall", "stack"):
        with suppress(OSError):
            lines.append(f"{name}: {(PROC / str(pid) / name).read_text().strip()}")
    with suppress(OSError):
        status = (PROC / str(pid) / "status").read_text().splitlines()
        lines[:0] = [line for line in status if line.startswith("State:")]
    return "\n".join(lines)


def _within(seconds: float, action: Callable[[], None]) -> None:
    """Call `action`, and go on without it when it takes longer."""

    def attempt() -> None:
        with suppress(OSError, subprocess.SubprocessError):
            action()

    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(seconds)


def _ask_all_for_stacks() -> None:
    """Have all ranks of this step of a SLURM job write their stacks."""
    if "SLURM_STEP_ID" in os.environ:
        step = f"{os.environ['SLURM_JOB_ID']}.{os.environ['SLURM_STEP_ID']}"
        command = ["scancel", "--signal=USR1", step]
        subprocess.run(command, timeout=WRITE_S, check=False, capture_output=True)
