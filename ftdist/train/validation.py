"""The held-out loss."""

from ftdist.dist.collectives import sum_over_ranks
from ftdist.io.progress_line import ProgressLine
from ftdist.train.dataloader import BatchSource
from ftdist.zero.engine import Zero3Engine


def held_out_loss(
    engine: Zero3Engine, batches: BatchSource, *, progress_line: ProgressLine
) -> float | None:
    """Mean negative log-likelihood of the library's held-out loss tokens, in nats. Collective.

    Args:
        engine: holds the parameters.
        batches: hold the held-out part.
        progress_line: reports the progress.

    Returns:
        None where nothing is held out.
    """
    loss_tokens = batches.held_out_loss_tokens()
    if loss_tokens == 0:
        return None
    rows, loss = batches.held_out(), 0.0
    for number, row in enumerate(rows):
        progress_line.report(number, len(rows), "held-out batches")
        loss += float(engine.evaluate(row)[0])
    (total,) = sum_over_ranks([loss])
    return total / loss_tokens
