"""System metrics of each node while its ranks train, sampled every few seconds by a thread.

One rank per node samples and appends rows to a file of that node. Failures and delays there never
stop or slow down training.
"""

import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from ftdist.dist.visible_gpus import smi_arguments
from ftdist.dist.world import World
from ftdist.io.host import node_name
from ftdist.io.jsonl import append_json_line
from ftdist.io.units import GIB
from ftdist.observe import metrics
from ftdist.rundir import RunDir

FIRST_AFTER_S = 1.0
"""When the first row is sampled, so that short runs have one too."""

LAST_JOIN_S = 1.0
GPU_TIMEOUT_S = 10.0


@contextmanager
def monitor_node(
    run: RunDir, world: World, *, attempt: int, every_s: float, gpus: bool
) -> Iterator[None]:
    """Sample this node's metrics during a `with` block, on its first rank.

    Args:
        run: rows are appended to `attempts/N/system-HOST.jsonl`.
        world: this rank.
        attempt: N.
        every_s: seconds between two rows; 0: none.
        gpus: whether the ranks use GPUs.
    """
    if world.local_rank != 0 or every_s <= 0:
        yield
        return
    stop = threading.Event()
    path = run.attempt(attempt) / f"system-{host_name()}.jsonl"
    sampler = threading.Thread(
        target=_sample,
        kwargs={"path": path, "stop": stop, "every_s": every_s, "gpus": gpus},
        name="system metrics",
        daemon=True,
    )
    sampler.start()
    try:
        yield
    finally:
        stop.set()
        sampler.join(LAST_JOIN_S)


def host_name() -> str:
    """This node's name, safe in file names and metric names."""
    name = node_name()
    return re.sub(r"[^A-Za-z0-9_-]", "-", name) or "node"


def _sample(*, path: Path, stop: threading.Event, every_s: float, gpus: bool) -> None:
    query = _gpu_query() if gpus else None
    with suppress(psutil.Error, OSError):
        psutil.cpu_percent()  # the first call only starts the clock
    wait_s = min(FIRST_AFTER_S, every_s)
    while not stop.wait(wait_s):
        wait_s = every_s
        with suppress(psutil.Error, OSError):
            row = node_row()
            if query is not None:
                with suppress(OSError, ValueError, subprocess.SubprocessError):
                    row |= gpu_row(_output(query))
            append_json_line(path, row)


def node_row() -> dict[str, float]:
    """CPU and memory use of the node, and memory of its ranks, now."""
    memory = psutil.virtual_memory()
    return {
        metrics.TIME.name: time.time(),
        metrics.CPU_PERCENT.name: psutil.cpu_percent(),  # since the call before
        metrics.MEMORY_GIB.name: (memory.total - memory.available) / GIB,
        metrics.RANKS_GIB.name: ranks_memory_gib(os.getppid()),
    }


def ranks_memory_gib(launcher: int) -> float:
    """Resident memory of a process's children: the launcher of this rank started all others.

    Args:
        launcher: process id.
    """
    total = 0
    for rank in psutil.Process(launcher).children():
        with suppress(psutil.Error):
            total += rank.memory_info().rss
    return total / GIB


def gpu_row(text: str) -> dict[str, float]:
    """GPU metrics from nvidia-smi's output, one line "percent, MiB" per GPU; empty without GPUs."""
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
    """The nvidia-smi command for the GPUs visible to this rank; None if it is not installed."""
    command = shutil.which("nvidia-smi")
    if command is None:
        return None
    query = "--query-gpu=utilization.gpu,memory.used"
    return [command, query, "--format=csv,noheader,nounits", *smi_arguments()]


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
