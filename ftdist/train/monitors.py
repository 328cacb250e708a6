"""What looks after the health of training."""

from collections.abc import Callable
from dataclasses import dataclass

from ftdist.config.saved_config import dump_config
from ftdist.config.schema import RunConfig
from ftdist.io.progress import LogFn
from ftdist.plan.plan import Plan
from ftdist.train.attempt_guard import AttemptGuard
from ftdist.train.checkpointing import Checkpointer
from ftdist.train.dataloader import BatchSource
from ftdist.train.health_watch import HealthWatch
from ftdist.train.rank_consistency import RankConsistencyCheck
from ftdist.train.rollback_policy import RollbackPolicy
from ftdist.train.stop_time import StopTime
from ftdist.zero.engine import Zero3Engine


@dataclass(frozen=True, kw_only=True)
class Monitors:
    """Every rank has them."""

    guard: AttemptGuard
    """Whether the attempt should stop."""

    health: HealthWatch
    """Skipped steps and loss spikes."""

    consistency: RankConsistencyCheck
    rollback: RollbackPolicy
    stop_time: StopTime
    """Asked on rank 0."""


def build_monitors(
    config: RunConfig,
    plan: Plan,
    engine: Zero3Engine,
    batches: BatchSource,
    *,
    checkpointer: Checkpointer,
    restore: Callable[[], int],
    guard: AttemptGuard,
    note: LogFn,
) -> Monitors:
    """The monitors of one attempt. Collective.

    Args:
        config: of the run.
        plan: of the run.
        engine: holds the weights.
        batches: of any step.
        checkpointer: of the attempt.
        restore: loads the newest checkpoint and all that belongs to it; returns its step.
        guard: of the attempt.
        note: prints a line for people, on rank 0.
    """
    train, world = config.train, engine.world
    run, attempt = guard.run, guard.attempt
    settings = [dump_config(config), plan.to_json()]
    return Monitors(
        guard=guard,
        health=HealthWatch(run, batches, config=train, attempt=attempt, world=world, note=note),
        consistency=RankConsistencyCheck(
            engine, batches, settings=settings, every=train.compare_ranks_every_steps
        ),
        rollback=RollbackPolicy(
            run,
            checkpointer,
            config=train,
            total_steps=plan.steps,
            attempt=attempt,
            world=world,
            note=note,
            restore=restore,
        ),
        stop_time=StopTime(config.cluster, record_event=run.record_event, note=note),
    )
