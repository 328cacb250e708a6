"""Roll-backs: training goes back to a checkpoint, and leaves out the steps that led to a spike.

Steps keep their numbers, their data and their learning rates: those that are left out are not
computed, and the step after them follows on the one before them. The event `rolled_back` says which
they are, so that every later attempt leaves out the same ones.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ftdist.checkpoint.manifest import DamagedCheckpointError, read_manifest
from ftdist.checkpoint.retention import SOUND
from ftdist.checkpoint.search import CheckpointInfo
from ftdist.checkpoint.store import CheckpointStore
from ftdist.rundir import RunDir

EVENT = "rolled_back"

ROLLBACKS = "rollbacks"
"""In a checkpoint's metadata: how many times the run had rolled back when it was saved."""


@dataclass(frozen=True, kw_only=True)
class RollBack:
    """One roll-back of a run."""

    spike: int
    """Optimizer steps done when the loss was seen."""

    to_step: int
    """Of the checkpoint that training goes back to."""

    first: int
    """First step that is left out, counted from 0; not before `to_step`."""

    end: int
    """First step after those that are left out."""

    @property
    def steps(self) -> range:
        """The steps that are left out, counted from 0."""
        return range(self.first, self.end)

    def invalidates(self, step: int, *, is_sound: bool) -> bool:
        """Whether a checkpoint of `step` steps from before it no longer belongs to the run.

        Those of steps that are left out; and those in between that did not count.
        """
        return self.first < step <= self.end or (self.to_step < step <= self.end and not is_sound)


def plan_roll_back(
    spike: int, *, num_steps: int, total_steps: int, sound: Sequence[int]
) -> RollBack | None:
    """Where to go back to, and which steps to leave out.

    To the newest checkpoint from before the steps to leave out; where all are newer, to the oldest
    one, and as many fewer steps are left out.

    Args:
        spike: optimizer steps done when the loss was seen.
        num_steps: how many steps to leave out, the last of which is that of the spike.
        total_steps: of the run.
        sound: steps of the sound checkpoints.

    Returns:
        None where there is no checkpoint, or no step after the spike.
    """
    first = max(0, spike - num_steps)
    before = [step for step in sound if step < spike]
    if not before or spike >= total_steps:
        return None
    to_step = max((step for step in before if step <= first), default=min(before))
    return RollBack(spike=spike, to_step=to_step, first=max(first, to_step), end=spike)


def record_roll_back(run: RunDir, roll_back: RollBack, *, attempt: int) -> None:
    """Record a roll-back: from now on every attempt leaves its steps out.

    Raises:
        OSError: the event could not be written.
    """
    run.append_event(EVENT, attempt=attempt, **asdict(roll_back))


def read_rollbacks(run: RunDir) -> list[RollBack]:
    """The roll-backs of a run, oldest first."""
    return [_from_event(event) for event in run.read_events() if event.get("event") == EVENT]


def drop_invalidated(store: CheckpointStore, run: RunDir) -> int:
    """Move the checkpoints that a later roll-back invalidated to the trash; on rank 0.

    Those that were saved after it, when its steps were computed again, stay.

    Returns:
        How many times the run has rolled back.

    Raises:
        StorageError: the folder cannot be read.
    """
    rollbacks = read_rollbacks(run)
    store.drop([info.step for info in store.committed() if _is_invalid(info, rollbacks)])
    return len(rollbacks)


def _is_invalid(info: CheckpointInfo, rollbacks: Sequence[RollBack]) -> bool:
    if not rollbacks:
        return False
    try:
        metadata = read_manifest(info.path).metadata
    except DamagedCheckpointError:
        return False  # whoever restores sets it aside and reports it
    later = rollbacks[metadata.get(ROLLBACKS, 0) :]
    is_sound = bool(metadata.get(SOUND, True))
    return any(r.invalidates(info.step, is_sound=is_sound) for r in later)


def left_out(rollbacks: Iterable[RollBack]) -> frozenset[int]:
    """The steps that are left out, counted from 0."""
    return frozenset(step for roll_back in rollbacks for step in roll_back.steps)


def _from_event(event: dict[str, Any]) -> RollBack:
    return RollBack(**{name: event[name] for name in ("spike", "to_step", "first", "end")})
