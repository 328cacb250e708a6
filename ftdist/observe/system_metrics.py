"""What a node is doing while its ranks train: a row every few seconds, in a file of the node's own.

One thread on one rank of each node reads a few files of the kernel. Whatever fails there, and
however long it takes, training neither stops nor waits.
"""

import os
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ftdist.dist.world import World
from ftdist.io.jsonl import append_json_line
from ftdist.io.units import GIB
from ftdist.observe import metrics
from ftdist.rundir import RunDir

FIRST_AFTER_S = 1.0
"""When the first row is measured, so that short runs have one too."""

LAST_JOIN_S = 1.0
GPU_TIMEOUT_S = 10.0


@contextmanager
def monitor_node(
    run: RunDir, world: World, *, attempt: int, every_s: float, gpus: bool
) -> Iterator[None]:
    """Measure this node for the length of a `with` block, on the first of its ranks.

    Args:
        run: rows land in `attempts/N/system-HOST.jsonl`.
        world: this rank.
        attempt: N.
        every_s: seconds between two rows; 0: none.
        gpus: whether the ranks use GPUs.
    """
    if world.local_rank != 0 or every_s <= 0:
        yield
        return
    over = threading.Event()
    path = run.attempt(attempt) / f"system-{host_name()}.jsonl"
    watch = threading.Thread(
        target=_watch,
        kwargs={"path": path, "over": over, "every_s": every_s, "gpus": gpus},
        name="node",
        daemon=True,
    )
    watch.start()
    try:
        yield
    finally:
        over.set()
        watch.join(LAST_JOIN_S)


def host_name() -> str:
    """This node's name, as it can stand in the name of a file and of a metric."""
    name = os.environ.get("SLURMD_NODENAME") or socket.gethostname().partition(".")[0]
    return re.sub(r"[^A-Za-z0-9_-]", "-", name) or "node"


def _watch(*, path: Path, over: threading.Event, every_s: float, gpus: bool) -> None:
    query = _gpu_query() if gpus else None
    before = None
    with suppress(OSError, ValueError, KeyError):
        before = CpuTimes.read()
    wait_s = min(FIRST_AFTER_S, every_s)
    while not over.wait(wait_s):
        wait_s = every_s
        row: dict[str, float] = {metrics.TIME.name: time.time()}
        # Each for itself: one file that a kernel does not show hides none of the others.
        with suppress(OSError, ValueError, KeyError):
            now = CpuTimes.read()
            if before is not None:
                row[metrics.CPU_PERCENT.name] = now.busy_percent_since(before)
            before = now
        with suppress(OSError, ValueError, KeyError):
            row[metrics.MEMORY_GIB.name] = used_memory_gib(Path("/proc/meminfo").read_text())
        with suppress(OSError, ValueError):
            row[metrics.RANKS_GIB.name] = ranks_memory_gib(os.getppid())
        if query is not None:
            with suppress(OSError, ValueError, subprocess.SubprocessError):
                row |= gpu_row(_output(query))
        with suppress(OSError):
            append_json_line(path, row)


@dataclass(frozen=True, kw_only=True)
class CpuTimes:
    """Time of all cores since the node started, in the kernel's ticks."""

    busy: int
    total: int

    @classmethod
    def read(cls, text: str | None = None) -> "CpuTimes":
        """From the words of `/proc/stat`."""
        text = Path("/proc/stat").read_text() if text is None else text
        # user nice system idle iowait irq softirq steal; guests' time is in user's already.
        ticks = [int(word) for word in text.split("\n", 1)[0].split()[1:9]]
        idle = sum(ticks[3:5])
        return cls(busy=sum(ticks) - idle, total=sum(ticks))

    def busy_percent_since(self, before: "CpuTimes") -> float:
        """Share of the time between two readings in which cores were busy."""
        passed = self.total - before.total
        return 100 * (self.busy - before.busy) / passed if passed > 0 else 0.0


def used_memory_gib(text: str) -> float:
    """Memory in use by the words of `/proc/meminfo`; what can be had back at once is not."""
    lines = (line.split() for line in text.splitlines())
    kib = {words[0]: int(words[1]) for words in lines if len(words) > 1}
    return (kib["MemTotal:"] - kib["MemAvailable:"]) * 1024 / GIB


def ranks_memory_gib(parent: int) -> float:
    """Resident memory of a process's children: whoever started this rank started the others.

    Args:
        parent: process id of the launcher.
    """
    pages = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError, IndexError):
            # After the name, which may hold anything: state, parent, ..., resident pages.
            words = stat.read_text(errors="replace").rpartition(")")[2].split()
            if int(words[1]) == parent:
                pages += int(words[21])
    return pages * os.sysconf("SC_PAGE_SIZE") / GIB


def gpu_row(text: str) -> dict[str, float]:
    """What nvidia-smi says of a node's GPUs, a line "percent, MiB" each; no GPU, no row."""
    lines = [line.split(",") for line in text.splitlines() if line.strip()]
    if not lines:
        return {}
    percents = [float(line[0]) for line in lines]
    return {
        metrics.GPU_PERCENT.name: sum(percents) / len(percents),
        metrics.GPU_MIN_PERCENT.name: min(percents),
        metrics.GPU_MEMORY_GIB.name: max(float(line[1]) for line in lines) / 1024,
    }


def _gpu_query() -> list[str] | None:
    """The command that tells of the GPUs that this rank sees; None: there is no such command."""
    command = shutil.which("nvidia-smi")
    if command is None:
        return None
    query = "--query-gpu=utilization.gpu,memory.used"
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return [
        *(command, query, "--format=csv,noheader,nounits"),
        *([f"--id={visible}"] if visible else []),
    ]


def _output(query: list[str]) -> str:
    done = subprocess.run(
        query,
        capture_output=True,
        text=True,
        timeout=GPU_TIMEOUT_S,
        check=True,
        stdin=subprocess.DEVNULL,
    )
    return done.stdout
