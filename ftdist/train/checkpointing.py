"""The checkpoints of one attempt: taken up at its start, committed as it goes."""

from pathlib import Path

from ftdist.checkpoint.state import Identity, restore_state, save_state
from ftdist.checkpoint.store import CheckpointStore
from ftdist.data.collate import Batch
from ftdist.dist.collectives import all_or_none
from ftdist.dist.world import World
from ftdist.observe.events import tell
from ftdist.rundir import RunDir
from ftdist.train.attempt_guard import Fence
from ftdist.zero.engine import Zero3Engine


class Checkpoints:
    """What is read from and written to the run's checkpoints. Every rank has one.

    Args:
        run: whose checkpoints.
        engine: holds the state.
        keep: how many of the newest stay.
        identity: kept with the state, compared on loading.
        attempt: number of this start.
        fence: whether this attempt may still write.
        world: this rank.
    """

    def __init__(
        self,
        run: RunDir,
        engine: Zero3Engine,
        *,
        keep: int,
        identity: Identity,
        attempt: int,
        fence: Fence,
        world: World,
    ) -> None:
        self._run = run
        self._engine = engine
        self._store = CheckpointStore(run.checkpoints, keep=keep)
        self._identity = identity
        self._attempt = attempt
        self._fence = fence
        self._world = world
        self.damage: list[str] = []
        """A sentence for each checkpoint that was set aside as damaged."""

    def restore(self) -> int:
        """Load the newest whole checkpoint, if there is one. Collective.

        Returns:
            Optimizer steps done.

        Raises:
            StorageError: there were checkpoints, and none is whole.
            ConfigError: the newest is of another library, seed or dtype.
        """
        if self._world.is_rank0:
            self._store.clean_leftovers(self._attempt)
        return restore_state(
            self._engine,
            self._store,
            identity=self._identity,
            world=self._world,
            on_damaged=self._note_damage,
        )

    def best_step(self) -> int | None:
        """Step of the checkpoint that is kept as the best. Collective.

        Raises:
            StorageError: what names it cannot be read, on every rank.
        """

        def look() -> int | None:
            best = self._store.best() if self._world.is_rank0 else None
            return None if best is None else best.step

        step: int | None = all_or_none(look, world=self._world)[0]
        return step

    def save(self, step: int, *, witness: Batch, is_best: bool) -> None:
        """Commit the state after `step` steps, unless that is done already. Collective.

        Args:
            step: optimizer steps done.
            is_best: whether it stays, and is exported, in place of the best one before it.
            witness: a short row of real tokens, by which an export is checked.

        Raises:
            RequeueError: a newer attempt has begun, on every rank.
            StorageError: some rank could not write, on every rank; nothing was committed.
        """
        self._fence.require_newest()
        if not self._store.is_committed(step):
            save_state(
                self._engine,
                self._store,
                step=step,
                attempt=self._attempt,
                identity=self._identity,
                witness=witness,
                world=self._world,
            )
            if self._world.is_rank0:
                tell(self._run, "checkpoint_saved", step=step, attempt=self._attempt)
        if is_best:
            all_or_none(lambda: self._name_best(step), world=self._world)

    def _name_best(self, step: int) -> None:
        if self._world.is_rank0:
            self._store.keep_best(step)
            tell(self._run, "best_checkpoint_updated", step=step, attempt=self._attempt)

    def _note_damage(self, path: Path, why: str) -> None:
        self.damage.append(f"{why} It lies in {path}.")
        tell(self._run, "checkpoint_corrupt", path=str(path), problem=why)
