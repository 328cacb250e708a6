"""Decides on roll-backs, and carries them out on all ranks."""

from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Any

from ftdist.config.schema.training import TrainConfig
from ftdist.dist.collectives import on_rank0
from ftdist.dist.world import World
from ftdist.errors import DivergedError
from ftdist.io.units import format_count
from ftdist.rundir import RunDir
from ftdist.train.checkpointing import Checkpointer
from ftdist.train.rollbacks import (
    RollBack,
    left_out,
    plan_roll_back,
    read_rollbacks,
    record_roll_back,
)
from ftdist.train.step_health import Spike


class RollbackPolicy:
    """The roll-backs of a run. Every rank has one.

    Args:
        run: whose events say what was left out so far.
        checkpointer: goes back.
        config: whether and how often.
        total_steps: of the run.
        attempt: of this start.
        world: this rank.
        note: prints a line for people, on rank 0.
        restore: loads the newest checkpoint and all that belongs to it; returns its step.
    """

    def __init__(
        self,
        run: RunDir,
        checkpointer: Checkpointer,
        *,
        config: TrainConfig,
        total_steps: int,
        attempt: int,
        world: World,
        note: Callable[[str], None],
        restore: Callable[[], int],
    ) -> None:
        self._run, self._checkpointer, self._config = run, checkpointer, config
        self._total_steps, self._attempt, self._world = total_steps, attempt, world
        self._note, self._restore = note, restore
        self._rollbacks = self._read()

    def steps(self, steps: Iterable[int]) -> list[int]:
        """Those of `steps` that no roll-back leaves out."""
        skipped = left_out(self._rollbacks)
        return [step for step in steps if step not in skipped]

    def is_wanted(self, spike: Spike | None) -> bool:
        """Whether the run goes back after a spike, if it can."""
        return spike is not None and self._config.loss_spike == "roll_back"

    def decide(self, spike: Spike | None) -> RollBack | DivergedError | None:
        """Where to go back to after a spike; None if training goes on. Collective.

        No save may be under way. An error says that the run has gone back as often as it may.
        """
        if spike is None or not self.is_wanted(spike):
            return None
        planned = plan_roll_back(
            spike.done,
            num_steps=self._config.rollback_steps,
            total_steps=self._total_steps,
            sound=self._checkpointer.sound_steps(),
        )
        if planned is None:
            self._note("There is no checkpoint to go back to, or no step left: training goes on.")
        elif len(self._rollbacks) >= self._config.max_rollbacks:
            return DivergedError(
                f"The loss spiked at step {spike.done} ({spike.loss:.4g}, after a median of "
                f"{spike.median:.4g}), and the run has gone back "
                f"{format_count(len(self._rollbacks), 'time')} already (train.max_rollbacks).",
                remedy="lower optim.peak_lr under a new run.name, or `ftdist resume` with "
                "train.loss_spike=alert.",
            )
        return planned

    def record(self, roll_back: RollBack) -> None:
        """Record a roll-back, which this attempt or the next one carries out. Collective.

        Raises:
            StorageError: it cannot be recorded; on every rank.
        """
        on_rank0(
            lambda: record_roll_back(self._run, roll_back, attempt=self._attempt),
            world=self._world,
        )

    def go_back(self, roll_back: RollBack) -> int:
        """Carry a recorded roll-back out. Collective. Returns the step to resume from.

        Raises:
            StorageError: no checkpoint can be read; on every rank.
        """
        self._rollbacks = self._read()
        step = self._restore()
        self._note(
            f"Went back to the checkpoint of step {step}; steps {roll_back.first + 1} to "
            f"{roll_back.end} are left out."
        )
        return step

    def _read(self) -> list[RollBack]:
        """Rank 0 reads for all."""

        def read() -> list[dict[str, Any]]:
            return [asdict(roll_back) for roll_back in read_rollbacks(self._run)]

        return [RollBack(**fields) for fields in on_rank0(read, world=self._world)]
