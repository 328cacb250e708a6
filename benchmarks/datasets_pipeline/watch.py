"""Start one way, and watch it: time, memory of all its processes, disk; end it where asked to."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import psutil

from benchmarks.datasets_pipeline.encoding import COUNTS
from benchmarks.measure import MemorySampler

Way = Literal["datasets", "datasets-hashed", "ftdist", "datasets-read", "ftdist-read"]
_POLL_S = 0.05
_GONE_S = 5.0
"""After a parent was killed: how long its workers have to end."""


@dataclass(frozen=True, kw_only=True)
class Watched:
    """How a child ended, and what it used."""

    ended: str
    """`done`, `exit N`, `killed`, or `hangs` where it had to be ended after its time."""

    seconds: float
    last_line: str
    """The last line on its standard error."""

    encoded: int
    """Rows that its processes encoded."""

    at_kill: int
    """Of these, before the kill."""

    left: int
    """Processes of its that still ran a few seconds after its end."""

    parent_gib: float
    """Highest anonymous memory of the process itself."""

    worker_gib: float
    """Of the largest of its workers."""

    disk_mib: int
    """Of everything beside the rows when it ended."""

    result: dict[str, Any] = field(default_factory=dict)
    """What it printed."""


def watch(
    way: Way,
    *,
    model: Path,
    rows: Path,
    folder: Path,
    processes: int,
    limit_s: float = 120,
    kill: Literal["all", "parent", "worker"] | None = None,
    kill_at: int = 0,
) -> Watched:
    """Run one way into `folder`, which may hold what an earlier run left.

    Args:
        way: which.
        model: folder with a tokenizer.
        rows: JSONL.
        folder: for the result and the cache of `datasets`.
        processes: number of workers.
        limit_s: it is ended then.
        kill: which processes to end by SIGKILL as soon as `kill_at` rows are encoded.
        kill_at: number of rows.
    """
    folder.mkdir(exist_ok=True)
    out, counts = folder / "out", folder / "counts"
    printed, errors = folder / "stdout", folder / "stderr"  # orphans would hold a pipe open
    shutil.rmtree(out, ignore_errors=True)
    counts.write_bytes(b"")
    environment = os.environ | {COUNTS: str(counts), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "benchmarks.datasets_pipeline.child", way]
    began, ended, at_kill = time.monotonic(), "", 0
    with printed.open("wb") as stdout, errors.open("wb") as stderr:
        child = subprocess.Popen(
            [*command, str(model), str(rows), str(out), str(processes)],
            stdout=stdout,
            stderr=stderr,
            env=environment | {"HF_HOME": str(folder / "hf")},
        )
        family: dict[int, psutil.Process] = {}
        with MemorySampler(lambda: _family(child.pid, family)) as memory:
            while not ended and child.poll() is None:
                time.sleep(_POLL_S)
                if time.monotonic() - began > limit_s:
                    ended = "hangs"
                elif kill and _encoded(counts) >= kill_at:
                    at_kill = _encoded(counts)
                    ended = _kill(kill, child.pid)
                    kill = None
            seconds = time.monotonic() - began
            if ended:
                child.kill()
            child.wait()
        if not ended:
            ended = "done" if child.returncode == 0 else f"exit {child.returncode}"
        left = _left([each for pid, each in family.items() if pid != child.pid])
    peaks = memory.peaks_gib(until=time.time())
    lines = errors.read_text(errors="replace").strip().splitlines()
    return Watched(
        ended=ended,
        seconds=seconds,
        last_line=lines[-1] if lines else "",
        encoded=_encoded(counts),
        at_kill=at_kill,
        left=left,
        parent_gib=peaks[0] if peaks else 0.0,
        worker_gib=max(peaks[1:], default=0.0),
        disk_mib=sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) >> 20,
        result=json.loads(printed.read_bytes()) if ended == "done" else {},
    )


def _kill(kind: str, child: int) -> str:
    """Kill the child, with its workers or without, or the worker that worked longest."""
    workers = psutil.Process(child).children(recursive=True)
    if kind == "worker":
        _quietly(max(workers, key=_cpu_s).kill)
        return ""
    for process in (psutil.Process(child), *(workers if kind == "all" else ())):
        _quietly(process.kill)
    return "killed"


def _cpu_s(process: psutil.Process) -> float:
    try:
        return float(process.cpu_times().user)
    except psutil.Error:
        return 0.0


def _encoded(counts: Path) -> int:
    return sum(map(int, counts.read_bytes().split()))


def _family(child: int, seen: dict[int, psutil.Process]) -> list[int]:
    """The child and its descendants, the child first."""
    try:
        process = psutil.Process(child)
        for each in (process, *process.children(recursive=True)):
            seen.setdefault(each.pid, each)
    except psutil.Error:
        return []
    return list(seen)


def _left(workers: list[psutil.Process]) -> int:
    """How many go on without their parent; they are ended."""
    _, alive = psutil.wait_procs(workers, timeout=_GONE_S)
    for process in alive:
        _quietly(process.kill)
    return len(alive)


def _quietly(act: Callable[[], object]) -> None:
    try:
        act()
    except psutil.Error:
        return
