"""Files in a run's `wandb` folder, next to wandb's own. Does not import wandb.

run-id       id of the W&B run, created once: all attempts and `ftdist sync` share one W&B run
url          its page, once a server has accepted it
synced.json  what the server has confirmed to have
alerts.json  the alerts that it has accepted
labels       digest of the name, group, tags and notes that W&B got last
sender       lock file of the one process that uploads
"""

import json
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from typing import Any

from ftdist.io.hashing import fingerprint
from ftdist.io.jsonl import write_whole
from ftdist.rundir import RunDir

STALE_S = 120.0
"""A lock whose holder has not renewed it for this long is considered abandoned."""

RENEW_EVERY_S = 10.0
_SETTLE_S = 0.1


def wandb_id(run: RunDir) -> str:
    """The id of the run's W&B run: created once, then the same for every attempt."""
    path = run.wandb / "run-id"
    if not path.exists():
        # The time makes it unique: W&B may know an earlier run of the same name and folder.
        run.wandb.mkdir(parents=True, exist_ok=True)
        write_whole(path, fingerprint(str(run.root.resolve()), time.time_ns())[:16])
    return path.read_text().strip()


def write_url(run: RunDir, url: str) -> None:
    """Store the URL of the run's page, for `ftdist status`."""
    write_whole(run.wandb / "url", f"{url}\n")


def read_url(run: RunDir) -> str | None:
    """The URL of the run's page; None if no server has accepted the run yet."""
    try:
        return (run.wandb / "url").read_text(encoding="utf-8").strip() or None
    except OSError:
        return None


def are_new_labels(run: RunDir, labels: Mapping[str, Any]) -> bool:
    """Whether W&B got other labels last, or none.

    Labels that it has are not sent again: somebody may have renamed the run on its page.
    """
    try:
        return (run.wandb / "labels").read_text(encoding="utf-8") != fingerprint(labels)
    except OSError:
        return True


def write_labels(run: RunDir, labels: Mapping[str, Any]) -> None:
    """Store that W&B has these labels."""
    write_whole(run.wandb / "labels", fingerprint(labels))


def forget(run: RunDir) -> None:
    """Make the next upload create a new W&B run."""
    for name in ("run-id", "url", "synced.json", "labels"):
        (run.wandb / name).unlink(missing_ok=True)


@dataclass(frozen=True, kw_only=True)
class SyncState:
    """What the server has confirmed to have of a run."""

    step: int = 0
    """The newest step; 0: none."""

    ended: str = ""
    """Outcome of the run at the last upload; "": still open."""

    compared: str = ""
    """Digest of the comparison; "": none."""

    answered: str = ""
    """Digest of the generations made in training; "": none."""

    artifacts: Mapping[str, str] = field(default_factory=dict)
    """Digest of each artifact, by name."""

    @classmethod
    def read(cls, run: RunDir) -> "SyncState":
        """The stored state; an empty one if the file is missing or damaged."""
        try:
            return cls(**json.loads((run.wandb / "synced.json").read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return cls()

    def write(self, run: RunDir) -> None:
        """Store it."""
        write_whole(run.wandb / "synced.json", json.dumps(asdict(self)) + "\n")


@dataclass(frozen=True, kw_only=True)
class SyncResult:
    """What `ftdist sync` did."""

    sent: int
    """Steps uploaded now."""

    step: int
    """The newest step that W&B has; 0: none."""

    url: str | None
    comparison: str = ""
    """What was uploaded of a comparison, in words; "": nothing."""

    answers: int = 0
    """Generations made in training that were uploaded now."""

    alerts: int = 0
    """Alerts that W&B accepted now."""

    artifacts: Sequence[str] = ()
    """Names of the artifacts that were uploaded now."""

    by_itself: bool = False
    """Whether the running attempt uploads its rows itself."""


class SenderLock:
    """The exclusive right to upload a run's rows: two senders would overwrite each other's.

    A file whose mtime the holder renews, so that it also works between machines and on file
    systems without locks. Ages are measured with the file system's own clock.

    Args:
        run: whose rows.
        who: "attempt N", or another process such as "ftdist sync".
    """

    def __init__(self, run: RunDir, *, who: str) -> None:
        self._run = run
        self._path = run.wandb / "sender"
        self._who = who
        self._token = f"{who} {uuid.uuid4().hex}"
        self._is_held = False
        self._renewed_at = 0.0

    def acquire(self) -> str | None:
        """Take the lock. Returns None, or the name of the current holder."""
        holder = self._holder()
        if holder is not None and not self._may_take_over(holder):
            return _name(holder)
        if holder is not None:
            self._path.unlink(missing_ok=True)
        with suppress(FileExistsError):
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
            with os.fdopen(os.open(self._path, flags, 0o600), "w") as file:
                file.write(self._token)
            # Another process may have found the same stale lock and removed ours instead.
            time.sleep(_SETTLE_S)
        holder = self._holder()
        self._is_held = holder == self._token
        return None if self._is_held else _name(holder)

    def renew(self) -> bool:
        """Renew the lock; cheap enough to call all the time.

        Returns:
            False if another process has taken over: this one must stop uploading.
        """
        if self._is_held and time.monotonic() - self._renewed_at > RENEW_EVERY_S:
            self._renewed_at = time.monotonic()
            if self._holder() not in (self._token, None):
                return False
            with suppress(OSError):
                os.utime(self._path)
        return True

    @contextmanager
    def renewed(self, *, on_loss: Callable[[], None]) -> Iterator[None]:
        """Renew the lock from a thread within a `with` block, however long its calls take.

        Args:
            on_loss: called once if another process has taken over.
        """
        is_over = threading.Event()

        def renew() -> None:
            while not is_over.wait(RENEW_EVERY_S):
                if not self.renew():
                    on_loss()
                    return

        thread = threading.Thread(target=renew, daemon=True)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()

    def release(self) -> None:
        """Let others upload."""
        if self._is_held and self._holder() == self._token:
            self._path.unlink(missing_ok=True)
        self._is_held = False

    def _holder(self) -> str | None:
        try:
            return self._path.read_text(encoding="utf-8")
        except OSError:
            return None

    def _may_take_over(self, holder: str) -> bool:
        if holder.startswith("attempt "):
            # Only one attempt runs at a time, so a newer one replaces an older one.
            number = holder.split()[1]
            if self._who.startswith("attempt ") or number in _finished_attempts(self._run):
                return True
        probe = self._path.with_name(f".sender.{uuid.uuid4().hex}")
        probe.touch()
        try:
            return probe.stat().st_mtime - self._path.stat().st_mtime > STALE_S
        except OSError:
            return True  # released meanwhile
        finally:
            probe.unlink(missing_ok=True)


def _name(holder: str | None) -> str:
    return "another process" if holder is None else holder.rpartition(" ")[0]


def _finished_attempts(run: RunDir) -> set[str]:
    return {
        str(e.get("attempt")) for e in run.read_events() if e.get("event") == "attempt_finished"
    }
