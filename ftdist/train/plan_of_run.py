"""The plan of a run, as the ranks of an attempt read it."""

from pathlib import Path

from ftdist.dist.world import World
from ftdist.errors import ConfigError
from ftdist.io.filesystem import storage_errors
from ftdist.io.retry import retry_passing, wait_for
from ftdist.plan.plan import Plan
from ftdist.rundir import RunDir


def read_plan(run: RunDir) -> Plan:
    """The plan of the run, once it and the packed library show on this node.

    Raises:
        StorageError: they cannot be read.
    """
    with storage_errors("read", run.plan):
        plan = Plan.from_json(retry_passing(wait_for(run.plan).read_text))
    wait_for(Path(plan.library.path))
    return plan


def refuse_other_world_size(plan: Plan, world: World, *, name: str) -> None:
    """Refuse to train with another number of ranks than the plan is for.

    Raises:
        ConfigError: these are more or fewer.
    """
    if plan.world_size != world.size:
        raise ConfigError(
            f"The plan is for {plan.world_size} ranks, but {world.size} were started.",
            remedy=f"start them with `ftdist resume {name}`, which makes a new plan.",
        )
