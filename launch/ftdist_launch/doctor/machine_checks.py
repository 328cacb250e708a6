"""Checks of this machine: Python, limits of processes, memory in /dev/shm, /tmp."""

import platform
import resource
import sys
from collections.abc import Iterator
from pathlib import Path

from ftdist.io.filesystem import free_gib
from ftdist_launch.doctor.finding import Area, Finding

MACHINE = Area("this machine")

FILES, PROCESSES = 4_096, 1_024
"""Least soft limits of open files and processes."""

TMP_GIB = 5.0
"""Space for kernels that are compiled at run time, and for spooled files."""

LIMITS = {
    "nofile": (resource.RLIMIT_NOFILE, FILES, "-n"),
    "nproc": (resource.RLIMIT_NPROC, PROCESSES, "-u"),
}


def machine_checks(*, cluster: bool) -> Iterator[Finding]:
    """The findings about the machine that runs this process.

    Args:
        cluster: whether it is the login node of a cluster.
    """
    yield python_finding(sys.version_info[:3], prefix=sys.prefix, base=sys.base_prefix)
    soft = {name: resource.getrlimit(kind)[0] for name, (kind, _, _) in LIMITS.items()}
    yield from limit_findings(MACHINE, {name: unlimited(value) for name, value in soft.items()})
    yield from size_findings(
        MACHINE,
        address_space=unlimited(resource.getrlimit(resource.RLIMIT_AS)[0]),
        file_size=unlimited(resource.getrlimit(resource.RLIMIT_FSIZE)[0]),
    )
    if not cluster:
        yield tmp_finding(MACHINE, free=free_gib(Path("/tmp")))


def unlimited(value: int) -> int | None:
    """A limit of the system; None: there is none."""
    return None if value in (resource.RLIM_INFINITY, -1) else value


def python_finding(version: tuple[int, ...], *, prefix: str, base: str) -> Finding:
    """Which Python runs ftdist, and whether it is a virtual environment."""
    found = f"{'.'.join(map(str, version))}, {platform.machine()}, {prefix}"
    if prefix == base:
        return MACHINE.warn(
            "Python",
            f"{found}: not a virtual environment",
            consequence="an update of the system's packages may break queued runs",
            remedy="install ftdist in a virtual environment on the shared file system",
        )
    return MACHINE.ok("Python", found)


def limit_findings(area: Area, soft: dict[str, int | None]) -> Iterator[Finding]:
    """Limits on open files and processes."""
    low = False
    for name, value in soft.items():
        _, least, flag = LIMITS[name]
        if value is not None and value < least:
            low = True
            noun = {"nofile": "open files", "nproc": "processes and threads"}[name]
            yield area.warn(
                f"ulimit {flag}",
                f"at most {value:,} {noun}",
                consequence="ranks and data workers fail with 'Too many open files'"
                if name == "nofile"
                else "threads cannot start: 'Resource temporarily unavailable'",
                remedy=f"put `ulimit {flag} {least}` into your shell's profile, or ask for a "
                "higher limit",
            )
    if not low:
        yield area.ok(
            "ulimits", ", ".join(_limit_words(name, value) for name, value in soft.items())
        )


def _limit_words(name: str, value: int | None) -> str:
    return f"{name} {'unlimited' if value is None else format(value, ',')}"


def size_findings(
    area: Area, *, address_space: int | None, file_size: int | None
) -> Iterator[Finding]:
    """Limits on the address space and on the size of files, in bytes; None: no limit."""
    if address_space is not None:
        yield area.warn(
            "ulimit -v",
            f"at most {address_space / 2**30:.0f} GiB of address space per process",
            consequence="torch reserves far more than it uses, and fails to allocate",
            remedy="put `ulimit -v unlimited` into your shell's profile",
        )
    if file_size is not None:
        yield area.fail(
            "ulimit -f",
            f"files of at most {file_size / 2**30:.1f} GiB",
            consequence="checkpoints are larger than that: runs end with 'File too large'",
            remedy="put `ulimit -f unlimited` into your shell's profile",
        )


def tmp_finding(area: Area, *, free: float) -> Finding:
    """Space in /tmp, GiB."""
    if free < TMP_GIB:
        return area.warn(
            "/tmp",
            f"{free:.1f} GiB free",
            consequence="kernels compiled at run time may not fit",
            remedy="set cluster.local_cache_dir to another local disk",
        )
    return area.ok("/tmp", f"{free:,.0f} GiB free")
