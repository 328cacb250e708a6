"""Restores the newest undamaged checkpoint. Every rank verifies its share of the files.

Rank 0 reads manifests only, so that the time does not grow with the ranks. Nothing is used before
all ranks know that every file is sound.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ftdist.checkpoint.manifest import MANIFEST, FileRecord, check_files, share_of
from ftdist.checkpoint.run_identity import RunIdentity, refuse_other_checkpoint
from ftdist.checkpoint.search import CheckpointSearch
from ftdist.checkpoint.store import CheckpointStore
from ftdist.config.schema import RunConfig
from ftdist.dist.collectives import all_gather_json, all_or_none, max_over_ranks, on_rank0
from ftdist.dist.world import World
from ftdist.errors import ConfigError
from ftdist.io.retry import wait_for
from ftdist.plan.plan import Plan
from ftdist.rundir import RunDir


@dataclass(frozen=True, kw_only=True)
class VerifiedCheckpoint:
    """A checkpoint whose files all ranks together have verified."""

    folder: Path
    step: int
    metadata: dict[str, Any]


def find_newest_verified(
    store: CheckpointStore,
    *,
    attempt: int,
    world: World,
    on_damaged: Callable[[Path, str], None],
) -> VerifiedCheckpoint | None:
    """The newest undamaged checkpoint; None where nothing was ever committed. Collective.

    Rank 0 chooses for all: on a network file system two ranks may see different folders. Each file
    is hashed by one rank; where one is damaged, all go on to the checkpoint before.

    Args:
        store: the run's.
        attempt: of the reader; what earlier ones left half written is removed.
        world: this rank.
        on_damaged: called on rank 0 for each one that was set aside: see `CheckpointStore`.

    Raises:
        StorageError: all are damaged, or one cannot be read just now; on every rank.
    """
    search: CheckpointSearch | None = None  # of rank 0

    def begin() -> None:
        nonlocal search
        store.clean_leftovers(attempt)
        search = store.search(on_damaged)

    on_rank0(begin, world=world)
    problems: list[str] = []
    while True:

        def offer(rejected: Sequence[str] = tuple(problems)) -> dict[str, Any] | None:
            return None if search is None else _offer(search, rejected)

        offered = on_rank0(offer, world=world)
        if offered is None:
            return None
        folder = Path(offered["folder"])
        records = [FileRecord(**record) for record in offered["manifest"]["files"]]
        problems = _verify(folder, records, world=world)
        if not problems:
            break
    if search is not None:
        search.accept()
    return VerifiedCheckpoint(
        folder=folder, step=offered["manifest"]["step"], metadata=offered["manifest"]["metadata"]
    )


def _offer(search: CheckpointSearch, rejected: Sequence[str]) -> dict[str, Any] | None:
    """The next checkpoint to verify, after the one before was found to have these problems."""
    if rejected:
        search.reject(rejected)
    candidate = search.next()
    if candidate is None:
        return None
    return {"folder": str(candidate.info.path), "manifest": asdict(candidate.manifest)}


def _verify(folder: Path, records: Sequence[FileRecord], *, world: World) -> list[str]:
    """The problems that any rank found with its share of the files. Collective."""
    wait_for(folder / MANIFEST)
    share = share_of(records, rank=world.rank, size=world.size)
    own = all_or_none(lambda: check_files(folder, share), world=world)
    if max_over_ranks(len(own)) == 0:
        return []
    return [problem for of_rank in all_gather_json(own, world=world) for problem in of_rank]


def identity_metadata(run: RunDir, config: RunConfig, plan: Plan, *, dtype: str) -> dict[str, Any]:
    """What a checkpoint records of the run that writes it."""
    recorded = RunIdentity.read(run)
    return {
        "library_key": plan.library.key,
        "seed": config.run.seed,
        "dtype": dtype,
        "identity": None if recorded is None else recorded.digests(),
    }


def refuse_other_run(run: RunDir, checkpoint: VerifiedCheckpoint, own: Mapping[str, Any]) -> None:
    """Refuse a checkpoint that another run wrote.

    Args:
        run: that is about to load it.
        checkpoint: about to be loaded.
        own: what this run records in its checkpoints: `identity_metadata`.

    Raises:
        ConfigError: it differs.
    """
    written = checkpoint.metadata
    if own["identity"] is not None and written["identity"] is not None:
        refuse_other_checkpoint(run, checkpoint.folder, written)
        return
    differing = [
        f"{field}: was {written[field]}, is {value}"
        for field, value in own.items()
        if field != "identity" and written[field] != value
    ]
    if differing:
        raise ConfigError(
            f"Checkpoint {checkpoint.folder} belongs to another run: {'; '.join(differing)}.",
            remedy="start a new run with `ftdist train` under another run.name.",
        )
