"""The checkpoints of one attempt: restored at its start, committed as it trains.

The training state is the engine and one integer, the step. A save succeeds on every rank or none.
"""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ftdist.checkpoint.manifest import FileRecord, read_manifest
from ftdist.checkpoint.store import CheckpointStore
from ftdist.config.schema import RunConfig
from ftdist.data.collate import Batch
from ftdist.dist.collectives import all_or_none
from ftdist.errors import StorageError
from ftdist.evaluation.best_checkpoint import BestCheckpointTracker
from ftdist.plan.plan import Plan
from ftdist.rundir import RunDir
from ftdist.train.attempt_guard import AttemptGuard
from ftdist.zero.engine import Zero3Engine
from ftdist.zero.shard_files import REFERENCE_LOGITS, write_tensors
from ftdist.zero.training_state import read_shards, shard_metadata, write_shards

REFERENCE_POSITIONS = 4
"""The logits of this many of the reference row's last positions are stored."""


class Checkpointer:
    """Restores and saves the training state. Every rank has one; every method is collective.

    Args:
        run: whose checkpoints.
        engine: holds the state.
        config: of the run.
        plan: of the run.
        reference_row: a short row of real tokens; an export must reproduce its logits.
        best: told which step is kept as the best.
        guard: whether this attempt may still write.
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
    ) -> None:
        self._run = run
        self._engine = engine
        self._store = CheckpointStore(run.checkpoints, keep=config.checkpoint.keep_latest)
        # What a checkpoint must share with the run that loads it.
        self._identity = {
            "library_key": plan.library.key,
            "seed": config.run.seed,
            "dtype": engine.dtype,
        }
        self._reference_row = reference_row
        self._best = best
        self._guard = guard
        self._attempt = guard.attempt
        self._world = engine.world
        self.damage: list[str] = []
        """A sentence for each damaged checkpoint that was set aside; on rank 0."""

    def restore(self) -> int:
        """Load the newest undamaged checkpoint, written by any number of ranks.

        Rank 0 chooses it for all: on a network file system two ranks may see different folders.

        Returns:
            optimizer steps done: the next step to run; 0 where nothing was ever committed.

        Raises:
            StorageError: the checkpoints are damaged, or belong to another run; on every rank.
        """

        def choose() -> tuple[str, int, dict[str, Any]] | None:
            self._store.clean_leftovers(self._attempt)
            newest = self._store.latest_verified(self._record_damage)
            if newest is None:
                return None
            return str(newest.path), newest.step, read_manifest(newest.path).metadata

        chosen = self._on_rank0(choose)
        if chosen is None:
            return 0
        folder, step, metadata = Path(chosen[0]), int(chosen[1]), chosen[2]
        self._refuse_other_run(folder, metadata)
        read_shards(self._engine, folder, metadata)
        return step

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

    def save(self, step: int, *, is_best: bool) -> None:
        """Commit the state after `step` steps, unless that is done already.

        Args:
            step: optimizer steps done.
            is_best: whether it replaces the best checkpoint, which is kept and exported.

        Raises:
            RequeueError: a newer attempt has begun; on every rank.
            StorageError: some rank could not write; on every rank. Nothing was committed, what was
                written is removed, and the training state is unchanged.
        """
        self._guard.require_newest()
        if not self._on_rank0(lambda: self._store.is_committed(step)):
            try:
                self._commit(step)
            except StorageError:
                if self._world.is_rank0:
                    self._store.discard(step, self._attempt)
                raise
            self._record_event("checkpoint_saved", step=step, attempt=self._attempt)
        if is_best:
            self._on_rank0(lambda: self._store.keep_best(step))
            self._record_event("best_checkpoint_updated", step=step, attempt=self._attempt)
            self._best.keep(step)

    def _commit(self, step: int) -> None:
        metadata = self._identity | shard_metadata(self._engine)
        reference = self._reference_logits()
        folder = Path(self._on_rank0(lambda: str(self._store.begin(step, self._attempt))))

        def write() -> list[dict[str, Any]]:
            files = write_shards(self._engine, folder)
            if self._world.is_rank0:
                write_tensors(reference, folder / REFERENCE_LOGITS)
                files.append(folder / REFERENCE_LOGITS)
            return [asdict(record) for record in self._store.describe(files)]

        described = all_or_none(write, world=self._world)

        def commit() -> None:
            records = [FileRecord(**record) for of_rank in described for record in of_rank]
            self._store.commit(step, self._attempt, records, metadata)

        self._on_rank0(commit)

    def _reference_logits(self) -> dict[str, Tensor]:
        row = self._reference_row
        tokens = row.input_ids.shape[1]
        positions = torch.arange(
            max(0, tokens - REFERENCE_POSITIONS), tokens, device=row.input_ids.device
        )
        logits = self._engine.logits(row, positions)
        return {
            "input_ids": row.input_ids.cpu().contiguous(),
            "positions": positions.cpu(),
            "logits": logits.cpu().contiguous(),
        }

    def _refuse_other_run(self, folder: Path, metadata: dict[str, Any]) -> None:
        differing = [
            f"{field} was {metadata[field]} and is {value}"
            for field, value in self._identity.items()
            if metadata[field] != value
        ]
        if differing:
            raise StorageError(
                f"Checkpoint {folder} belongs to another run: {'; '.join(differing)}.",
                remedy="start a new run with `ftdist train` under another run.name.",
            )

    def _on_rank0(self, action: Callable[[], Any]) -> Any:
        """Call `action` on rank 0; its value, or its failure, on every rank."""
        values = all_or_none(lambda: action() if self._world.is_rank0 else None, world=self._world)
        return values[0]

    def _record_event(self, event: str, **values: Any) -> None:
        if self._world.is_rank0:
            self._run.record_event(event, **values)

    def _record_damage(self, path: Path, problem: str) -> None:
        self.damage.append(f"{problem} It was moved to {path}.")
        self._run.record_event("checkpoint_corrupt", path=str(path), problem=problem)
