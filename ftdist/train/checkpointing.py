"""The checkpoints of one attempt: restored at its start, committed as it trains."""

from pathlib import Path

from ftdist.checkpoint.state import Identity, restore_state, save_state
from ftdist.checkpoint.store import CheckpointStore
from ftdist.data.collate import Batch
from ftdist.dist.collectives import all_or_none
from ftdist.evaluation.best_checkpoint import BestCheckpointTracker
from ftdist.rundir import RunDir
from ftdist.train.attempt_guard import AttemptGuard
from ftdist.zero.engine import Zero3Engine


class Checkpointer:
    """Restores and saves the training state. Every rank has one; every method is collective.

    Args:
        run: whose checkpoints.
        engine: holds the state.
        keep: how many of the newest checkpoints are kept.
        identity: stored with the state, compared when it is loaded.
        reference_row: a short row of real tokens; an export must reproduce its logits.
        best: told which step is kept as the best.
        guard: whether this attempt may still write.
    """

    def __init__(
        self,
        run: RunDir,
        engine: Zero3Engine,
        *,
        keep: int,
        identity: Identity,
        reference_row: Batch,
        best: BestCheckpointTracker,
        guard: AttemptGuard,
    ) -> None:
        self._run = run
        self._engine = engine
        self._store = CheckpointStore(run.checkpoints, keep=keep)
        self._identity = identity
        self._reference_row = reference_row
        self._best = best
        self._guard = guard
        self._attempt = guard.attempt
        self._world = engine.world
        self.damage: list[str] = []
        """A sentence for each damaged checkpoint that was set aside; on rank 0."""

    def restore(self) -> int:
        """Load the newest undamaged checkpoint, if there is one.

        Returns:
            Optimizer steps done.

        Raises:
            StorageError: there were checkpoints, and all are damaged or belong to another run.
        """
        if self._world.is_rank0:
            self._store.clean_leftovers(self._attempt)
        return restore_state(
            self._engine,
            self._store,
            identity=self._identity,
            on_damaged=self._record_damage,
        )

    def best_step(self) -> int | None:
        """Step of the checkpoint that is kept as the best.

        Raises:
            StorageError: `best.json` cannot be read; on every rank.
        """

        def read() -> int | None:
            best = self._store.best() if self._world.is_rank0 else None
            return None if best is None else best.step

        step: int | None = all_or_none(read, world=self._world)[0]
        return step

    def save(self, step: int, *, is_best: bool) -> None:
        """Commit the state after `step` steps, unless that is done already.

        Args:
            step: optimizer steps done.
            is_best: whether it replaces the best checkpoint, which is kept and exported.

        Raises:
            RequeueError: a newer attempt has begun; on every rank.
            StorageError: some rank could not write; on every rank. Nothing was committed.
        """
        self._guard.require_newest()
        if not self._store.is_committed(step):
            save_state(
                self._engine,
                self._store,
                step=step,
                attempt=self._attempt,
                identity=self._identity,
                reference_row=self._reference_row,
            )
            if self._world.is_rank0:
                self._run.record_event("checkpoint_saved", step=step, attempt=self._attempt)
        if is_best:
            all_or_none(lambda: self._name_best(step), world=self._world)
            self._best.keep(step)

    def _name_best(self, step: int) -> None:
        if self._world.is_rank0:
            self._store.keep_best(step)
            self._run.record_event("best_checkpoint_updated", step=step, attempt=self._attempt)

    def _record_damage(self, path: Path, problem: str) -> None:
        self.damage.append(f"{problem} It was moved to {path}.")
        self._run.record_event("checkpoint_corrupt", path=str(path), problem=problem)
