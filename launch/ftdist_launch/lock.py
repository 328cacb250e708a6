"""The lock of a run directory, held by the one `ftdist` process or SLURM job that works on the run.

The file names the holder, appears whole, and is made by a hard link, which only one process of all
machines can make. The holder also locks it: the kernel frees that when the process ends, in any
way. A lock whose holder is provably gone is taken over; one that may live needs the user's word.
"""

import errno
import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from ftdist.errors import ConfigError, StorageError
from ftdist.io.progress import LogFn
from ftdist.rundir import RunDir
from ftdist_launch.lock_holder import (
    Holder,
    Verdict,
    examine,
    read_holder_text,
    this_job,
    this_process,
)
from ftdist_launch.slurm.client import Queue

TRIES = 10

SETTLE_S = 0.2
"""After a takeover: how long until no other process can mistake the new lock for the old one."""

READ_TRIES = 20
READ_PAUSE_S = 0.05
"""A file system without hard links shows the lock before its content."""

JOB_WAIT_S = 60.0
"""How long a job that starts waits for the `ftdist` that submitted it."""

NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV)

_UNNAMED = Holder(host="an unknown machine")


class RunLockedError(ConfigError):
    """Another process or job works on the run."""


@contextmanager
def run_lock(run: RunDir, *, log: LogFn | None = None) -> Iterator[None]:
    """Hold the lock of a run within a `with` block.

    Args:
        run: to lock.
        log: for a line about a takeover, which is then recorded in the run's events.

    Raises:
        RunLockedError: another process or job holds it, or may do so.
    """
    own = this_process()
    file, takeover = _acquire(run, own)
    try:
        if takeover is not None and log is not None:
            log(takeover)
            run.record_event("lock_taken_over", cause=takeover)
        yield
    finally:
        _release(run, own)
        file.close()


def claim_for_job(run: RunDir, job: str, *, log: LogFn) -> None:
    """Hold the lock of a run for a SLURM job, until `release_claim` or the job leaves the queue.

    Raises:
        RunLockedError: another process or job holds it, or may do so.
    """
    own, deadline = this_job(job), time.monotonic() + JOB_WAIT_S
    while True:
        try:
            file, takeover = _acquire(run, own)
        except RunLockedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(1.0)
            continue
        file.close()
        if takeover is not None:
            log(takeover)
            run.record_event("lock_taken_over", cause=takeover)
        return


def release_claim(run: RunDir, job: str) -> None:
    """Release the lock if the SLURM job holds it."""
    holder = _read(run.lock)
    if holder is not None and holder.pid is None and holder.job == job:
        run.lock.unlink(missing_ok=True)


def break_lock(run: RunDir, *, log: LogFn) -> None:
    """Remove the lock of a holder that may be alive: the user says that it is gone.

    Raises:
        RunLockedError: it is alive for certain.
    """
    found = _look(run.lock)
    if found is None:
        return
    holder, is_locked = found
    verdict = examine(holder, is_locked=is_locked, queue=Queue())
    if verdict.is_alive:
        raise _held_by(holder, run, verdict=verdict)
    _remove(run.lock, holder)
    text = f"Taking over run {run.name} from {holder} on request: {verdict.reason}."
    log(text)
    run.record_event("lock_taken_over", cause=text)


def is_held(run: RunDir) -> bool:
    """Whether a process holds the lock; those that may be alive count. Jobs do not."""
    holder = read_holder(run)
    return holder is not None and (holder.pid is not None or holder == _UNNAMED)


def read_holder(run: RunDir) -> Holder | None:
    """The holder of the lock, unless it is provably gone; SLURM is not asked."""
    found = _look(run.lock)
    if found is None:
        return None
    holder, is_locked = found
    verdict = examine(holder, is_locked=is_locked, queue=None)
    return None if verdict.is_alive is False else holder


def _acquire(run: RunDir, own: Holder) -> tuple[TextIO, str | None]:
    """Take the lock: its open file, and a sentence about who held it before and is gone."""
    takeover = None
    for _ in range(TRIES):
        file = _publish(run.lock, own)
        if file is not None:
            if takeover is not None:
                time.sleep(SETTLE_S)
                if (holder := _read(run.lock)) != own:
                    file.close()
                    raise _held_by(holder or _UNNAMED, run)
            return file, takeover
        found = _look(run.lock)
        if found is None:
            continue  # it was released meanwhile
        holder, is_locked = found
        if own.pid is None and (holder.pid, holder.job) == (None, own.job):
            _remove(run.lock, holder)  # an earlier start of this job
            continue
        verdict = examine(holder, is_locked=is_locked, queue=Queue())
        if verdict.is_alive is not False:
            raise _held_by(holder, run, verdict=verdict)
        if _remove(run.lock, holder):
            takeover = f"Taking over run {run.name} from {holder}: {verdict.reason}."
    raise _held_by(_UNNAMED, run)


def _publish(path: Path, own: Holder) -> TextIO | None:
    """Make the lock with its content and locked by the kernel; None: there is one already."""
    draft = path.with_name(f".lock.{secrets.token_hex(8)}")
    file = draft.open("x", encoding="utf-8")
    try:
        _fill(file, own)
        os.link(draft, path)
    except FileExistsError:
        # A network file system that repeats a request may report the link that it has made.
        if draft.stat().st_nlink < 2:
            file.close()
            return None
    except OSError as error:
        file.close()
        if error.errno not in NO_LINKS:
            raise StorageError(
                f"Cannot write {path}: {error.strerror}.",
                remedy="free disk space, or check the owner and mode of its folder.",
            ) from None
        return _publish_exclusively(path, own)
    finally:
        draft.unlink(missing_ok=True)
    return file


def _publish_exclusively(path: Path, own: Holder) -> TextIO | None:
    """As `_publish`, where the file system has no hard links."""
    try:
        file = path.open("x", encoding="utf-8")
    except FileExistsError:
        return None
    try:
        _fill(file, own)
    except OSError:
        file.close()
        path.unlink(missing_ok=True)
        raise
    return file


def _fill(file: TextIO, own: Holder) -> None:
    with suppress(OSError):  # this file system may have no locks
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    file.write(own.to_json())
    file.flush()
    os.fsync(file.fileno())


def _release(run: RunDir, own: Holder) -> None:
    with suppress(OSError):  # the run may be gone
        if _read(run.lock) == own:
            run.lock.unlink()


def _remove(path: Path, holder: Holder) -> bool:
    """Remove the lock of a holder that is gone, unless somebody else has it by now."""
    removed = path.with_name(f".lock.{secrets.token_hex(8)}")
    if _read(path) != holder:
        return False
    try:
        path.rename(removed)
    except FileNotFoundError:
        return False
    if _read(removed) == holder:
        removed.unlink()
        return True
    with suppress(OSError):  # another process was faster, and its new lock is put back
        os.link(removed, path)
    removed.unlink()
    return False


def _look(path: Path) -> tuple[Holder, bool | None] | None:
    """The holder that the file names, and whether the kernel has the file locked; None: no file."""
    for _ in range(READ_TRIES):
        try:
            with path.open(encoding="utf-8") as file:
                is_locked = _is_locked(file)
                text = file.read()
        except FileNotFoundError:
            return None
        holder = read_holder_text(text)
        if holder is not None:
            return holder, is_locked
        time.sleep(READ_PAUSE_S)
    return _UNNAMED, is_locked


def _is_locked(file: TextIO) -> bool | None:
    """Whether the kernel has given the lock of a file away; None: this file system has none."""
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return None
    return False


def _read(path: Path) -> Holder | None:
    try:
        return read_holder_text(path.read_text(encoding="utf-8")) or _UNNAMED
    except OSError:
        return None


def _held_by(holder: Holder, run: RunDir, *, verdict: Verdict | None = None) -> RunLockedError:
    take_over = f"`ftdist resume {run.cli_name} resume.take_over=true`"
    problem = f"Run {run.name} is locked by {holder}"
    if verdict is not None and verdict.is_alive:
        where = "" if holder.pid is None else f" on {holder.host}"
        return RunLockedError(
            f"{problem}; {verdict.reason}.",
            remedy=f"wait for it, or stop it with `ftdist cancel {run.cli_name}`{where}.",
        )
    reason = "" if verdict is None else f"; {verdict.reason}, so whether it has ended is unknown"
    return RunLockedError(
        f"{problem}{reason}.",
        remedy=f"wait for it, or stop it there with `ftdist cancel {run.cli_name}`; if it has "
        f"ended, or its machine is gone, take over with {take_over}.",
    )
