"""The held-out loss."""

from ftdist.dist.collectives import sum_over_ranks
from ftdist.train.dataloader import BatchSource
from ftdist.zero.engine import Zero3Engine


def held_out_loss(engine: Zero3Engine, batches: BatchSource) -> float | None:
    """Mean negative log-likelihood of the library's held-out loss tokens, in nats. Collective.

    Returns:
        None where nothing is held out.
    """
    loss_tokens = batches.held_out_loss_tokens()
    if loss_tokens == 0:
        return None
    loss = sum(float(engine.evaluate(row)[0]) for row in batches.held_out())
    (total,) = sum_over_ranks([loss])
    return total / loss_tokens
