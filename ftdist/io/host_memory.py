"""Host memory that this process holds, and what it may still take."""

import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

_MEMINFO = Path("/proc/meminfo")
_OWN_CGROUP = Path("/proc/self/cgroup")
_OWN_STATUS = Path("/proc/self/status")
_CGROUPS = Path("/sys/fs/cgroup")

_FILES_V2 = ("memory.max", "memory.current", "inactive_file")
_FILES_V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
"""Of a cgroup: its limit and use, and the line of memory.stat that counts reclaimable caches."""


def available_memory(
    *,
    meminfo: Path = _MEMINFO,
    own_cgroup: Path = _OWN_CGROUP,
    cgroups: Path = _CGROUPS,
    environment: Mapping[str, str] | None = None,
) -> float:
    """Bytes that can be allocated before the machine or a cgroup of this process is full.

    Reclaimable caches count as available. What SLURM grants the job on a node is an upper bound.
    Infinite where nothing is known.

    Args:
        meminfo: the kernel's report on the machine.
        own_cgroup: the kernel's report on the cgroups of this process.
        cgroups: where cgroups are mounted.
        environment: has SLURM_MEM_PER_NODE, in MiB; None: that of this process.
    """
    environment = os.environ if environment is None else environment
    available = math.inf
    try:
        for line in meminfo.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                available = int(line.split()[1]) * 1024
    except OSError:
        return math.inf
    granted = environment.get("SLURM_MEM_PER_NODE", "")
    if granted.isdecimal() and int(granted):  # 0: all memory of the node
        available = min(available, int(granted) * 2**20)
    return min(available, _cgroup_room(own_cgroup, cgroups))


def anonymous_memory() -> int:
    """Bytes of anonymous memory of this process that are resident now. Linux only."""
    for line in _OWN_STATUS.read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"{_OWN_STATUS} has no RssAnon: Linux before 4.5")


def _cgroup_room(own_cgroup: Path, cgroups: Path) -> float:
    """The least room of this process's cgroups and of those above them."""
    try:
        lines = own_cgroup.read_text().splitlines()
    except OSError:
        return math.inf
    room = math.inf
    for line in lines:
        _, controllers, name = line.split(":", 2)
        if not controllers:
            root, files = cgroups, _FILES_V2
        elif "memory" in controllers.split(","):
            root, files = cgroups / "memory", _FILES_V1
        else:
            continue
        room = min([room, *(_room(folder, files) for folder in _up_to(root, name))])
    return room


def _up_to(root: Path, name: str) -> Iterator[Path]:
    """The folder of a cgroup, those above it, and the root: a container's limit may be there.

    In a container, the name may be that on its host: then only the root exists.
    """
    folder = root / name.lstrip("/")
    while folder != root and folder.is_relative_to(root):
        yield folder
        folder = folder.parent
    yield root


def _room(cgroup: Path, files: tuple[str, str, str]) -> float:
    limit_file, used_file, caches = files
    try:
        limit = (cgroup / limit_file).read_text().strip()
        used = int((cgroup / used_file).read_text())
        stats = (cgroup / "memory.stat").read_text().splitlines()
    except (OSError, ValueError):
        return math.inf
    if limit == "max":
        return math.inf
    reclaimable = [int(line.split()[1]) for line in stats if line.startswith(f"{caches} ")]
    return int(limit) - used + sum(reclaimable)
