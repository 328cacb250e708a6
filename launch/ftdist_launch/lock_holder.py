"""Who holds a run: a process or a SLURM job, and whether it is alive.

A process number says little: another machine, a container or a later process may have the same one.
The boot, the PID namespace and the start time tell them apart.
"""

import hashlib
import json
import os
import socket
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from ftdist_launch.slurm.client import Queue, SlurmError

PROC = Path("/proc")

FIRST_PID_NAMESPACE = 4026531836
"""Linux's number of a machine's first PID namespace, in which all of its processes are visible."""


@dataclass(frozen=True, kw_only=True)
class Holder:
    """Who holds a run, as its lock says."""

    host: str
    pid: int | None = None
    """None: a SLURM job as a whole, whose processes come and go."""

    machine: str | None = None
    """Digest of the machine's own id, the same after a restart."""

    boot: str | None = None
    """The kernel's id of this start of the machine."""

    pid_namespace: int | None = None
    started: int | None = None
    """Start of the process, in clock ticks since boot."""

    job: str | None = None
    """SLURM's job that it is, or runs in."""

    cluster: str | None = None
    """SLURM's cluster of that job, where SLURM tells it."""

    command: str | None = None
    since: float | None = None
    """Seconds since the epoch."""

    def __str__(self) -> str:
        """`process 12 on host3 (ftdist train, job 7, since 2026-12-01 10:41:07)`."""
        who = f"process {self.pid}" if self.pid is not None else f"job {self.job or 'unknown'}"
        inside = None if self.job is None or self.pid is None else f"job {self.job}"
        since = None
        if self.since is not None:
            since = f"since {time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(self.since))}"
        details = ", ".join(filter(None, (self.command, inside, since)))
        return f"{who} on {self.host}{f' ({details})' if details else ''}"

    def to_json(self) -> str:
        """The content of the lock."""
        return json.dumps(asdict(self)) + "\n"


@dataclass(frozen=True)
class Verdict:
    """What is known about a holder."""

    is_alive: bool | None
    """None: unknown, because it is on another machine, or in another container."""

    reason: str
    """A clause about the holder."""


def read_holder_text(text: str) -> Holder | None:
    """The holder that a lock names; None: the text names nobody."""
    known = {field.name for field in fields(Holder)}
    try:
        values: dict[str, Any] = json.loads(text)
        return Holder(**{name: value for name, value in values.items() if name in known})
    except (ValueError, TypeError, AttributeError):
        return None


def this_process() -> Holder:
    """This process as a holder."""
    pid = os.getpid()
    return _here(pid=pid, started=start_ticks(pid), job=os.environ.get("SLURM_JOB_ID"))


def this_job(job: str) -> Holder:
    """The SLURM job of this process as a holder."""
    return _here(pid=None, started=None, job=job)


def _here(*, pid: int | None, started: int | None, job: str | None) -> Holder:
    return Holder(
        host=socket.gethostname(),
        pid=pid,
        machine=_machine(),
        boot=boot_id(),
        pid_namespace=pid_namespace(),
        started=started,
        job=job,
        cluster=None if job is None else os.environ.get("SLURM_CLUSTER_NAME"),
        command=_command() if pid is not None else None,
        since=time.time(),
    )


def examine(holder: Holder, *, is_locked: bool | None, queue: Queue | None) -> Verdict:
    """Whether a holder is alive, as far as it can be proven from here.

    Args:
        holder: as its lock says.
        is_locked: whether this machine's kernel has the file locked; None: the file system has no
            locks.
        queue: to ask about its job; None: SLURM is not asked.
    """
    if is_locked:
        return Verdict(True, "it holds the file's lock")
    verdict = Verdict(None, "it runs on another machine, or in another container")
    if holder.pid is not None:
        verdict = _examine_process(holder, no_lock=is_locked is False) or verdict
    if verdict.is_alive is None and holder.job is not None and queue is not None:
        verdict = _examine_job(holder, queue) or verdict
    return verdict


def _examine_process(holder: Holder, *, no_lock: bool) -> Verdict | None:
    """What this machine knows of a process; None: nothing."""
    if holder.boot is None:
        return _ended_or_alive(holder) if holder.host == socket.gethostname() else None
    if holder.boot != boot_id():
        return Verdict(False, "its machine has restarted since") if _is_restarted(holder) else None
    if find_in_namespaces(holder):
        return Verdict(True, "it is running")
    # A kernel's locks are the same for all of its containers: a process that lives has its own.
    all_visible = pid_namespace() in (holder.pid_namespace, FIRST_PID_NAMESPACE)
    return Verdict(False, "it has ended") if no_lock or all_visible else None


def _ended_or_alive(holder: Holder) -> Verdict:
    assert holder.pid is not None
    ticks = start_ticks(holder.pid)
    is_alive = ticks is not None and holder.started in (None, ticks)
    return Verdict(is_alive, "it is running" if is_alive else "it has ended")


def _is_restarted(holder: Holder) -> bool:
    """Whether the holder was on this machine before its last start, and not in a container."""
    same = holder.host == socket.gethostname() and holder.machine == _machine() is not None
    return same and holder.pid_namespace == pid_namespace() == FIRST_PID_NAMESPACE


def _examine_job(holder: Holder, queue: Queue) -> Verdict | None:
    """What SLURM knows of a job; None: it cannot be asked, or may be another cluster's SLURM."""
    assert holder.job is not None
    with suppress(SlurmError):
        if holder.cluster is not None and holder.cluster != queue.cluster():
            return None
        queued = queue.states([holder.job]).get(holder.job)
        if queued is not None:
            where = f" on {queued.nodes}" if queued.nodes else ""
            return Verdict(True, f"job {holder.job} is {queued.state}{where}")
        return Verdict(False, f"job {holder.job} has left the queue")
    return None


def find_in_namespaces(holder: Holder) -> bool:
    """Whether the process is running in our PID namespace, or in one that is visible from it."""
    if holder.pid_namespace == pid_namespace():
        return holder.pid is not None and start_ticks(holder.pid) == holder.started
    for folder in PROC.iterdir():
        is_named = folder.name.isdigit() and _pids(folder)[1:][-1:] == [str(holder.pid)]
        if is_named and start_ticks(int(folder.name)) == holder.started:
            return True
    return False


def _pids(folder: Path) -> list[str]:
    """The numbers of a process, from our PID namespace to its own."""
    with suppress(OSError):
        for line in (folder / "status").read_text(encoding="utf-8").splitlines():
            if line.startswith("NSpid:"):
                return line.split()[1:]
    return []


def start_ticks(pid: int) -> int | None:
    """When a process started, in clock ticks since boot; None: it has ended."""
    try:
        state, *rest = (PROC / str(pid) / "stat").read_text().rpartition(") ")[2].split()
    except (OSError, ValueError):
        return None
    return None if state in "ZX" else int(rest[18])


def boot_id() -> str | None:
    """The kernel's id of this start of the machine."""
    with suppress(OSError):
        return (PROC / "sys/kernel/random/boot_id").read_text().strip() or None
    return None


def pid_namespace() -> int | None:
    """The number of our PID namespace."""
    with suppress(OSError):
        return (PROC / "self/ns/pid").stat().st_ino
    return None


def _machine() -> str | None:
    """A digest of the machine's id, which itself is not to be shown."""
    with suppress(OSError):
        if text := Path("/etc/machine-id").read_text().strip():
            return hashlib.sha256(f"ftdist {text}".encode()).hexdigest()[:12]
    return None


def _command() -> str:
    words = [word for word in sys.argv[1:2] if not word.startswith("-")]
    return " ".join(["ftdist", *words])
