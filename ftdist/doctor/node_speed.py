"""How fast a node is by itself: matrix products, memory, disks; and how far its clock is off."""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from statistics import median
from uuid import uuid4

import torch
import torch.distributed as dist

from ftdist.dist.world import World

WARM_UP, REPEATS = 2, 9
COPY_BYTES = 64 * 2**20
DISK_MIB, DISK_S = 64, 3.0
PINGS = 15


def memory_gb_s(*, seconds: float) -> float:
    """10^9 bytes per second that one thread copies in host memory, read and written."""
    source = torch.ones(COPY_BYTES // 4)
    target = torch.empty_like(source)
    return 2 * COPY_BYTES / _median_s(lambda: target.copy_(source), seconds=seconds) / 1e9


def _median_s(action: Callable[[], object], *, seconds: float) -> float:
    """Median seconds of an action, repeated for a while."""
    for _ in range(WARM_UP):
        action()
    times: list[float] = []
    begin = time.perf_counter()
    while len(times) < REPEATS or time.perf_counter() - begin < seconds:
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return median(times)


def write_mib_s(folder: Path) -> float | None:
    """MiB per second of writing a file to disk in a folder; None: it is not writable."""
    path = folder / f".ftdist-doctor-{uuid4().hex[:12]}"
    block = os.urandom(8 * 2**20)
    try:
        with path.open("wb", buffering=0) as file:
            begin, written = time.perf_counter(), 0
            while written < DISK_MIB and time.perf_counter() - begin < DISK_S:
                file.write(block)
                os.fdatasync(file.fileno())
                written += 8
            return written / (time.perf_counter() - begin)
    except OSError:
        return None
    finally:
        with suppress(OSError):
            path.unlink()


def clock_offset(world: World, *, group: dist.ProcessGroup, other: int) -> tuple[float, float]:
    """The clock of a rank minus that of rank 0, and the largest error of it, in seconds.

    As NTP does: of several round trips the shortest counts; the answer was given in its middle, or
    at most half of it earlier or later. Called by rank 0 and the other rank.

    Args:
        world: this rank.
        group: of all ranks, on CPUs.
        other: the other rank.
    """
    stamp = torch.zeros(1, dtype=torch.float64)
    best = (float("inf"), 0.0)
    for _ in range(PINGS):
        if world.rank == 0:
            before = time.time()
            dist.send(stamp, other, group=group)
            dist.recv(stamp, other, group=group)
            after = time.time()
            best = min(best, (after - before, stamp.item() - (before + after) / 2))
        else:
            dist.recv(stamp, 0, group=group)
            stamp[0] = time.time()
            dist.send(stamp, 0, group=group)
    return best[1], best[0] / 2
