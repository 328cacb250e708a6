"""`ftdist merge`: interpolate base and tuned weights and evaluate the results."""

from collections.abc import Sequence

from ftdist.cli.commands.compare import evaluate
from ftdist.cli.common import RunParser

DESCRIPTION = """\
Interpolate the weights of base and tuned model (base + alpha (tuned - base)) for each alpha of
merge.alphas, evaluate each merged model as `ftdist compare` does, and keep in R/merge/model the one
with the largest gain whose general loss rises by at most merge.max_loss_increase. Finished
evaluations of an interrupted sweep are reused.

merge.trim_largest and merge.trim_smallest leave out shares of each tensor's update; each alpha is
evaluated with each of them. 'merge.layers=["model.layers.[0-9].*=0.5"]' multiplies alpha in some
layers. merge.onto=MODEL adds the update to another model of the same family."""


def main(arguments: Sequence[str]) -> int:
    """Evaluate interpolations of a run's base and tuned model.

    Raises:
        FtdistError: there is no such run, no exported model or no questions.
    """
    parsed = RunParser("merge", description=DESCRIPTION).parse_run(arguments)
    return evaluate(parsed.run, parsed.overrides, stage="merge")
