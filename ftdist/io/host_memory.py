"""Host memory that this process may still take."""

import math
from pathlib import Path

_MEMINFO = Path("/proc/meminfo")
_OWN_CGROUP = Path("/proc/self/cgroup")
_CGROUPS = Path("/sys/fs/cgroup")


def available_memory(
    *, meminfo: Path = _MEMINFO, own_cgroup: Path = _OWN_CGROUP, cgroups: Path = _CGROUPS
) -> float:
    """Bytes that can be allocated before the machine or a cgroup of this process is full.

    Reclaimable caches count as available. Limits of cgroups version 1 are not seen; infinite where
    nothing is known.

    Args:
        meminfo: the kernel's report on the machine.
        own_cgroup: the kernel's report on the cgroup of this process.
        cgroups: where cgroups of version 2 are mounted.
    """
    available = math.inf
    try:
        for line in meminfo.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                available = int(line.split()[1]) * 1024
    except OSError:
        return math.inf
    return min(available, _cgroup_room(own_cgroup, cgroups))


def _cgroup_room(own_cgroup: Path, cgroups: Path) -> float:
    """The least room of this process's cgroup and of those above it."""
    try:
        lines = own_cgroup.read_text().splitlines()
    except OSError:
        return math.inf
    names = [line.removeprefix("0::/") for line in lines if line.startswith("0::/")]
    if not names:
        return math.inf
    folder, room = cgroups / names[0], math.inf
    while folder != cgroups and folder != folder.parent:
        room = min(room, _room(folder))
        folder = folder.parent
    return room


def _room(cgroup: Path) -> float:
    try:
        limit = (cgroup / "memory.max").read_text().strip()
        used = int((cgroup / "memory.current").read_text())
        stats = (cgroup / "memory.stat").read_text().splitlines()
    except (OSError, ValueError):
        return math.inf
    if limit == "max":
        return math.inf
    files = [int(line.split()[1]) for line in stats if line.startswith("inactive_file ")]
    return int(limit) - used + sum(files)
