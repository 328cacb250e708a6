"""The checkpoints of one attempt: restored at its start, committed as it trains.

The training state is the engine and one integer, the step. A save succeeds on every rank or none.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from ftdist.checkpoint.manifest import FileRecord
from ftdist.checkpoint.read_back import read_back
from ftdist.checkpoint.retention import SOUND
from ftdist.checkpoint.room import planned_room
from ftdist.checkpoint.store import CheckpointStore, checkpoint_name
from ftdist.checkpoint.vanished import LATE_S, refuse_vanished
from ftdist.config.schema import RunConfig
from ftdist.data.collate import Batch
from ftdist.dist.collectives import all_or_none, gather_json, max_over_ranks, on_rank0
from ftdist.errors import StorageError
from ftdist.evaluation.best_checkpoint import BestCheckpointTracker
from ftdist.plan.plan import Plan
from ftdist.rundir import RunDir
from ftdist.train.attempt_guard import AttemptGuard
from ftdist.train.background import BackgroundWork
from ftdist.train.committer import CheckpointCommitter
from ftdist.train.parameter_check import ParameterCheck
from ftdist.train.restore import find_newest_verified, identity_metadata, refuse_other_run
from ftdist.train.rollbacks import ROLLBACKS, drop_invalidated
from ftdist.train.shard_writer import PendingSave, ShardWriter
from ftdist.zero.engine import Zero3Engine
from ftdist.zero.shard_files import shard_folders
from ftdist.zero.training_state import read_shards, shard_metadata

PATIENCE_S = 30.0
"""How long the end of a thread is waited for when the attempt ends."""


class Checkpointer:
    """Restores and saves the training state. Every rank has one.

    Every method is collective; leaving the `with` block is not. A save begins at the end of a step,
    and is committed at the end of that step or a later one: by `finish`, which all ranks call at
    the same step.

    Args:
        run: whose checkpoints.
        engine: holds the state.
        config: of the run.
        plan: of the run.
        reference_row: a short row of real tokens; an export must reproduce its logits.
        best: told which step is kept as the best.
        guard: whether this attempt may still write.
        on_progress: called as files are read and written, while training waits for them.
    """

    def __init__(
        self,
        run: RunDir,
        engine: Zero3Engine,
        *,
        config: RunConfig,
        plan: Plan,
        reference_row: Batch,
        best: BestCheckpointTracker,
        guard: AttemptGuard,
        on_progress: Callable[[], None],
    ) -> None:
        self._run = run
        self._engine = engine
        self._store = CheckpointStore(run.checkpoints, keep=config.checkpoint.keep_latest)
        # What a checkpoint must share with the run that loads it.
        self._identity = identity_metadata(run, config, plan, dtype=engine.dtype)
        self._shard_writer = ShardWriter(engine, reference_row=reference_row)
        self._best = best
        self._guard, self._on_progress = guard, on_progress
        self._attempt = guard.attempt
        self._world = engine.world
        self._committer = CheckpointCommitter(
            self._store,
            guard,
            needed=planned_room(plan.checkpoint_gib, world_size=engine.world.size),
        )
        self._save: PendingSave | None = None
        self._parameters = ParameterCheck(engine)
        self._rollbacks = 0  # so often has the run gone back
        self._blocked_s = 0.0
        """How long training has waited for the save that is being written."""
        self.damage: list[str] = []
        """A sentence for each damaged checkpoint that was set aside; on rank 0."""

    def restore(self) -> int:
        """Load the newest undamaged checkpoint, written by any number of ranks.

        Returns:
            optimizer steps done: the next step to run; 0 where nothing was ever committed.

        Raises:
            ConfigError: the checkpoint belongs to another run; on every rank.
            StorageError: the checkpoints are damaged or have vanished; on every rank.
        """
        self._on_rank0(lambda: refuse_vanished(self._run, patience_s=LATE_S))
        self._rollbacks = self._on_rank0(lambda: drop_invalidated(self._store, self._run))
        checkpoint = find_newest_verified(
            self._store, attempt=self._attempt, world=self._world, on_damaged=self._record_damage
        )
        step = 0
        if checkpoint is not None:
            refuse_other_run(self._run, checkpoint, self._identity)
            folder, saved, step = checkpoint.folder, checkpoint.metadata, checkpoint.step
            read_shards(self._engine, folder, saved, on_progress=self._on_progress)
        self._parameters.accept(step)
        return step

    def sound_steps(self) -> list[int]:
        """Steps of the checkpoints of sound training, newest first; the same on every rank."""
        steps: list[int] = self._on_rank0(self._store.sound_steps)
        return steps

    def best_step(self) -> int | None:
        """Step of the checkpoint that is kept as the best.

        Raises:
            StorageError: `best.json` cannot be read; on every rank.
        """

        def read() -> int | None:
            best = self._store.best()
            return None if best is None else best.step

        step: int | None = self._on_rank0(read)
        return step

    def reserve_copy_memory(self) -> str | None:
        """Take host memory so that later saves run beside training; else, why they do not."""
        return self._shard_writer.reserve_memory()

    @property
    def is_under_way(self) -> bool:
        """Whether a save has begun and `finish` has yet to be called: on all ranks, or on none."""
        return self._save is not None

    @property
    def is_written(self) -> bool:
        """Whether a save is under way and the part of this rank has been written, or has failed."""
        return self._save is not None and self._save.work is not None and self._save.work.is_done

    def begin(self, step: int, *, beside_training: bool, is_sound: bool = True) -> bool:
        """Begin to save the state after `step` steps, unless that is committed already.

        No other save may be under way.

        Args:
            step: optimizer steps done.
            beside_training: whether to copy the state, and to write the copy in a thread. Such a
                checkpoint has no reference logits.
            is_sound: whether training is sound at this step; if not, it replaces no other one.

        Returns:
            Whether training may go on before `finish`.

        Raises:
            RequeueError: a newer attempt has begun; on every rank.
            StorageError: the disk has no room, or the folder cannot be made; on every rank.
            DivergedError: the parameters are ruined; on every rank.
        """
        assert self._save is None
        began = time.perf_counter()
        self._parameters.require_sound(step)
        try:
            answer = self._on_rank0(
                lambda: self._committer.prepare(step, folders=shard_folders(self._world.size))
            )
        except StorageError as error:
            self._fail(step, error)
            raise
        if answer["superseded"]:
            raise self._guard.superseded_error()
        if answer["committed"]:
            return False
        has_copy = beside_training and self._shard_writer.has_memory()
        can_copy = max_over_ranks(float(not has_copy)) == 0
        history = {SOUND: is_sound, ROLLBACKS: self._rollbacks}
        metadata = self._identity | history | shard_metadata(self._engine)
        write = self._shard_writer.prepare(Path(answer["folder"]), from_copy=can_copy)
        work = None
        if can_copy:
            work = BackgroundWork(write, name=f"checkpoint of step {step}")
        self._save = PendingSave(step=step, metadata=metadata, began=began, write=write, work=work)
        self._blocked_s = time.perf_counter() - began
        return can_copy

    def finish(self) -> float | None:
        """Write or wait for this rank's part of the save that is under way, and commit it.

        Returns:
            its wall time from the beginning to the commit, in seconds; None if none was under way.

        Raises:
            RequeueError: a newer attempt has begun; on every rank.
            StorageError: some rank could not write, or does not see the commit; on every rank. What
                was written and not committed is removed, no other checkpoint is deleted, and the
                training state is unchanged.
        """
        save, self._save = self._save, None
        if save is None:
            return None
        began = time.perf_counter()
        try:
            own = all_or_none(lambda: save.records(self._on_progress), world=self._world)
            written = gather_json(own, world=self._world)
            records = [FileRecord(**record) for of_rank in written for record in of_rank]
            is_superseded = self._on_rank0(
                lambda: self._committer.commit(save.step, records, save.metadata)
            )
            if not is_superseded:
                all_or_none(lambda: self._read_back(save.step), world=self._world)
                self._on_rank0(
                    lambda: self._committer.delete_after(lambda: self._store.retain(save.step))
                )
        except StorageError as error:
            self._fail(save.step, error)
            raise
        if is_superseded:
            self._discard(save.step)
            raise self._guard.superseded_error()
        now = time.perf_counter()
        self._record_event(
            "checkpoint_saved",
            step=save.step,
            attempt=self._attempt,
            blocked_s=round(self._blocked_s + now - began, 3),
            total_s=round(now - save.began, 3),
        )
        return now - save.began

    def keep_last_only(self) -> None:
        """After the last save of a complete run: keep no more than `checkpoint.keep_latest`.

        Raises:
            StorageError: the folder cannot be read; on every rank.
        """
        self._on_rank0(lambda: self._committer.delete_after(self._store.keep_last_only))

    def keep_best(self, step: int) -> None:
        """Keep a committed checkpoint, and export it, until another one is better.

        Raises:
            StorageError: `best.json` cannot be written; on every rank.
        """
        self._on_rank0(lambda: self._committer.delete_after(lambda: self._store.keep_best(step)))
        self._record_event("best_checkpoint_updated", step=step, attempt=self._attempt)
        self._best.keep(step)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """End the threads of this rank; a save that is under way stays uncommitted.

        After an error they are not waited for: the first rank to fail must be the first to say so.
        """
        patience_s = PATIENCE_S if kind is None else 0.0
        self._shard_writer.close(patience_s=patience_s)
        if self._save is not None and self._save.work is not None:
            self._save.work.cancel(patience_s=patience_s)
        self._committer.close(patience_s=patience_s)

    def _read_back(self, step: int) -> None:
        """Open what was committed on the last rank: on another node, where there is one."""
        if self._world.rank == self._world.size - 1:
            read_back(self._run.checkpoints / checkpoint_name(step), step=step)

    def _fail(self, step: int, error: StorageError) -> None:
        """Record that a save failed, and remove what it left."""
        self._discard(step)
        self._record_event(
            "save_failed",
            step=step,
            attempt=self._attempt,
            cause=error.problem,
            remedy=error.remedy,
        )

    def _discard(self, step: int) -> None:
        """Remove what a failed save left, on rank 0."""
        if self._world.is_rank0:
            self._store.discard(step, self._attempt)

    def _on_rank0(self, action: Callable[[], Any]) -> Any:
        """Call `action` on rank 0; its value, or its failure, on every rank."""
        return on_rank0(action, world=self._world)

    def _record_event(self, event: str, **values: Any) -> None:
        if self._world.is_rank0:
            self._run.record_event(event, **values)

    def _record_damage(self, path: Path, problem: str) -> None:
        self.damage.append(f"{problem} It was moved to {path}.")
        self._run.record_event("checkpoint_corrupt", path=str(path), problem=problem)
