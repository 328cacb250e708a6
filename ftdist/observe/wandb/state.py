"""What lies in a run's `wandb` folder beside wandb's own files. No wandb.

run-id       W&B's id of the run, made once: all attempts, and `ftdist sync`, are one W&B run
url          its page, once a server has taken it
synced.json  how far a server has said that it has the run
sender       held by the one process that sends rows
"""

import json
import os
import time
import uuid
from contextlib import suppress
from dataclasses import asdict, dataclass

from ftdist.io.hashing import fingerprint
from ftdist.io.jsonl import write_whole
from ftdist.rundir import RunDir

STALE_S = 120.0
"""A sender that has not been seen for so long is dead; the living say so far more often."""

SEEN_EVERY_S = 10.0
_SETTLE_S = 0.1


def wandb_id(run: RunDir) -> str:
    """The run's W&B id: made once, kept in the run directory, the same for every attempt."""
    kept = run.wandb / "run-id"
    if not kept.exists():
        # With the time, since a run of the same name may have been here before and be in W&B.
        run.wandb.mkdir(parents=True, exist_ok=True)
        write_whole(kept, fingerprint(str(run.root.resolve()), time.time_ns())[:16])
    return kept.read_text().strip()


def write_url(run: RunDir, url: str) -> None:
    """Keep the address of the run's page, for `ftdist status`."""
    write_whole(run.wandb / "url", f"{url}\n")


def read_url(run: RunDir) -> str | None:
    """The address of the run's page; None: no server has taken the run yet."""
    try:
        return (run.wandb / "url").read_text(encoding="utf-8").strip() or None
    except OSError:
        return None


def forget(run: RunDir) -> None:
    """Let the next one that sends make a W&B run of its own."""
    for name in ("run-id", "url", "synced.json"):
        (run.wandb / name).unlink(missing_ok=True)


@dataclass(frozen=True, kw_only=True)
class SyncState:
    """How far a server has the run, by its own words."""

    step: int = 0
    """The newest step; 0: none."""

    ended: str = ""
    """How the run had ended when it was sent last; "": not yet."""

    compared: str = ""
    """Digest of the comparison that it has; "": none."""

    answered: str = ""
    """Digest of the answers that it has of what was measured while it learned; "": none."""

    @classmethod
    def read(cls, run: RunDir) -> "SyncState":
        """What is on record; nothing where that cannot be read."""
        try:
            fields = json.loads((run.wandb / "synced.json").read_text(encoding="utf-8"))
            return cls(
                step=int(fields["step"]),
                ended=str(fields["ended"]),
                compared=str(fields.get("compared", "")),
                answered=str(fields.get("answered", "")),
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return cls()

    def write(self, run: RunDir) -> None:
        """Put it on record."""
        write_whole(run.wandb / "synced.json", json.dumps(asdict(self)) + "\n")


@dataclass(frozen=True, kw_only=True)
class SyncResult:
    """What came of sending a run."""

    sent: int
    """Steps that were sent now."""

    step: int
    """The newest step that W&B has; 0: none."""

    url: str | None
    comparison: str = ""
    """What was sent now of a comparison, in words; "": nothing."""

    answers: int = 0
    """Answers written while it learned that were sent now."""

    by_itself: bool = False
    """Whether the run sends its rows itself at this moment."""


class SenderLock:
    """The right to send a run's rows: two senders would overwrite each other's at the server.

    A file that is touched again and again, so that it works on file systems without locks and
    between machines; the file system's own clock says how old it is.

    Args:
        run: whose rows.
        who: an attempt of the run, such as "attempt 2", or another process, such as "sync".
    """

    def __init__(self, run: RunDir, *, who: str) -> None:
        self._run = run
        self._path = run.wandb / "sender"
        self._who = who
        self._mine = f"{who} {uuid.uuid4().hex}"
        self._held = False
        self._seen = 0.0

    def take(self) -> str | None:
        """Become the sender; else who it is."""
        holder = self._holder()
        if holder is not None and not self._may_take_over(holder):
            return holder.rpartition(" ")[0]
        if holder is not None:
            self._path.unlink(missing_ok=True)
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return (self._holder() or "another process ").rpartition(" ")[0]
        with os.fdopen(descriptor, "w") as file:
            file.write(self._mine)
        # Another one may have found the same dead sender, and removed our file in place of that.
        time.sleep(_SETTLE_S)
        holder = self._holder()
        self._held = holder == self._mine
        return None if self._held else (holder or "another process ").rpartition(" ")[0]

    def show(self) -> bool:
        """Show that this sender lives; cheap enough to be called all the time.

        Returns:
            False where another one has followed it: then it may not send any more.
        """
        if self._held and time.monotonic() - self._seen > SEEN_EVERY_S:
            self._seen = time.monotonic()
            if self._holder() not in (self._mine, None):
                return False
            with suppress(OSError):
                os.utime(self._path)
        return True

    def release(self) -> None:
        """Let others send."""
        if self._held and self._holder() == self._mine:
            self._path.unlink(missing_ok=True)
        self._held = False

    def _holder(self) -> str | None:
        try:
            return self._path.read_text(encoding="utf-8")
        except OSError:
            return None

    def _may_take_over(self, holder: str) -> bool:
        if holder.startswith("attempt "):
            # One attempt at a time: where there is a newer one, the older one is dead.
            number = holder.split()[1]
            if self._who.startswith("attempt ") or number in _ended_attempts(self._run):
                return True
        probe = self._path.with_name(f".sender.{uuid.uuid4().hex}")
        probe.touch()
        try:
            return probe.stat().st_mtime - self._path.stat().st_mtime > STALE_S
        except OSError:
            return True  # released meanwhile
        finally:
            probe.unlink(missing_ok=True)


def _ended_attempts(run: RunDir) -> set[str]:
    return {
        str(e.get("attempt")) for e in run.read_events() if e.get("event") == "attempt_finished"
    }
