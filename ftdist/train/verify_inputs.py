"""What an attempt reads is what the run began with: looked at before anything is built."""

from pathlib import Path

from ftdist.checkpoint.model_files import weight_digests
from ftdist.checkpoint.run_identity import refuse_changed_run
from ftdist.config.schema import RunConfig
from ftdist.data.packed_checksums import find_damage, refuse_unknown_ids
from ftdist.dist.collectives import all_gather_json, all_or_none, on_rank0
from ftdist.dist.world import World
from ftdist.errors import DataError
from ftdist.plan.model_info import read_model_info
from ftdist.plan.plan import Plan
from ftdist.rundir import RunDir


def verify_inputs(run: RunDir, config: RunConfig, plan: Plan, *, world: World) -> None:
    """Compare a run with what it began with, and verify its packed library. Collective.

    Raises:
        ConfigError: model, tokenizer or config have changed; on every rank.
        DataError: the library is damaged, or holds token ids that the model does not have; on every
            rank.
        StorageError: a file cannot be read just now; on every rank.
    """
    weights = _weights(Path(config.model.path), world=world)
    on_rank0(lambda: refuse_changed_run(run, config, plan, weights=weights), world=world)
    _verify_library(run, config, plan, world=world)


def _weights(base: Path, *, world: World) -> dict[str, str]:
    """Digests of the base model's weights; each rank reads its share of the files."""
    own: dict[str, str] = {}

    def read() -> None:
        own.update(weight_digests(base, rank=world.rank, size=world.size))

    all_or_none(read, world=world)
    shares = all_gather_json(own, world=world)
    return {name: digest for share in shares for name, digest in share.items()}


def _verify_library(run: RunDir, config: RunConfig, plan: Plan, *, world: World) -> None:
    """Verify the packed library; each rank hashes its share."""
    folder = Path(plan.library.path)
    rows: int = on_rank0(
        lambda: read_model_info(Path(config.model.path)).embedding_rows, world=world
    )

    def verify() -> None:
        damage = find_damage(
            folder, checksum=plan.library.checksum, rank=world.rank, size=world.size
        )
        if damage:
            raise DataError(
                f"The packed library {folder} is damaged: {'; '.join(damage)}.",
                remedy=f"run `ftdist resume {run.cli_name}`, which packs it again.",
            )
        refuse_unknown_ids(folder, rows=rows, rank=world.rank, size=world.size)

    all_or_none(verify, world=world)
