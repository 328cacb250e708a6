"""Checkpoints that are on record, but no longer there: a purged folder, a disk that is not mounted.

A run must not start over because its checkpoints are out of sight. Imports no torch.
"""

import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ftdist.checkpoint.damage import damaged_names
from ftdist.checkpoint.store import CheckpointStore, checkpoint_name
from ftdist.errors import ConfigError, StorageError, TransientStorageError
from ftdist.io.jsonl import read_json_lines
from ftdist.io.retry import wait_for
from ftdist.io.units import format_count
from ftdist.observe.metrics import SAVE_TOTAL_S, STEP, TIME
from ftdist.rundir import RunDir

RESTART_ACCEPTED = "restart_accepted"
"""The event of a user who gives up checkpoints that have vanished."""

LATE_S = 10.0
"""How long nodes wait for a checkpoint that another one has committed."""

_ANY_OLDER = 0
"""In place of a step: the newest one was damaged, and which older ones were kept is unknown."""

_STEP = re.compile(r"step-(\d{8,})")


@dataclass(frozen=True, kw_only=True)
class Vanished:
    """A checkpoint that was committed and is not there."""

    run: RunDir
    recorded: int
    """Its step, or one after it."""

    found: int | None
    """Step of the newest checkpoint that is there."""

    @property
    def steps_lost(self) -> int:
        """Steps that have to be computed again."""
        return self.recorded - (self.found or 0)

    def error(self) -> StorageError:
        """What is missing, and what to do."""
        newest = "none" if self.found is None else f"none after step {self.found}"
        where = "from the beginning" if self.found is None else f"from step {self.found}"
        return StorageError(
            f"Run {self.run.name} has committed a checkpoint at step {self.recorded}, but "
            f"{self.run.checkpoints} holds {newest}: "
            f"{format_count(self.steps_lost, 'step')} would be lost.",
            remedy=f"mount or restore that folder; to go on {where} without them, run "
            f"`ftdist resume {self.run.cli_name} resume.restart=true`.",
        )


def find_vanished(run: RunDir) -> Vanished | None:
    """The newest checkpoint on record, if it is gone without having been set aside as damaged.

    Raises:
        StorageError: the folder of the checkpoints cannot be read.
    """
    committed = CheckpointStore(run.checkpoints, keep=1).committed()
    found = committed[0].step if committed else None
    expected, last = _recorded(run)
    if expected is None or (found is not None and found >= expected):
        return None
    damaged = {_step_of(name) for name in damaged_names(run.checkpoints)}
    if expected in damaged or (expected == _ANY_OLDER and damaged):
        return None  # whoever restores reports it
    return Vanished(run=run, recorded=last, found=found)


def refuse_vanished(run: RunDir, *, patience_s: float = 0.0) -> None:
    """Refuse to continue from an older checkpoint, or from the beginning, without being asked to.

    Args:
        run: the run.
        patience_s: how long a checkpoint that another node has committed may take to show here.

    Raises:
        StorageError: the newest checkpoint on record is gone.
    """
    vanished = find_vanished(run)
    if vanished is not None and patience_s:
        with suppress(TransientStorageError):
            wait_for(run.checkpoints / checkpoint_name(vanished.recorded), deadline_s=patience_s)
        vanished = find_vanished(run)
    if vanished is not None:
        raise vanished.error()


def accept_restart(run: RunDir) -> Vanished:
    """Record that the user gives up the checkpoints that have vanished. The records stay.

    Raises:
        ConfigError: none has vanished.
    """
    vanished = find_vanished(run)
    if vanished is None:
        raise ConfigError(
            f"resume.restart=true, but no checkpoint of run {run.name} has vanished.",
            remedy="leave it out to continue; to train from the beginning, start a new run with "
            "`ftdist train` under another run.name.",
        )
    run.append_event(
        RESTART_ACCEPTED,
        recorded=vanished.recorded,
        checkpoint=vanished.found,
        steps_lost=vanished.steps_lost,
    )
    return vanished


def _recorded(run: RunDir) -> tuple[int | None, int]:
    """The step that must be there, or None; and the last one that was ever committed."""
    expected: int | None = None
    last, since = 0, 0.0
    voided: list[range] = []  # checkpoints that a roll-back has left behind
    for event in run.read_events():
        match event:
            case {"event": "checkpoint_saved", "step": int(step)}:
                expected = step
            case {"event": "attempt_started" | "attempt_finished", "checkpoint": int(step)}:
                if not any(step in steps for steps in voided):
                    expected = max(step, expected or 0)
            case {"event": "rolled_back", "to_step": int(expected), "end": int(end)}:
                voided.append(range(expected + 1, end + 1))
            case {"event": "checkpoint_corrupt", "path": str(path)} if expected is not None:
                if _step_of(Path(path).name) == expected:
                    expected = _ANY_OLDER
            case {"event": "restart_accepted"}:
                expected, last, since = event["checkpoint"], 0, event["time"]
        last = max(last, expected or 0)
    if expected is None:
        # The event of a save may be missing, after a full disk for example.
        saved = _saved_by_metrics(run, since=since)
        expected, last = (None, 0) if saved is None else (_ANY_OLDER, saved)
    return expected, last


def _saved_by_metrics(run: RunDir, *, since: float) -> int | None:
    """The last step at which metrics know of a committed checkpoint; None: they know of none."""
    steps = [
        int(row[STEP.name])
        for row in read_json_lines(run.metrics)
        if SAVE_TOTAL_S.name in row and STEP.name in row and row.get(TIME.name, 0.0) > since
    ]
    return max(steps, default=None)


def _step_of(name: str) -> int | None:
    match = _STEP.match(name)
    return None if match is None else int(match[1])
