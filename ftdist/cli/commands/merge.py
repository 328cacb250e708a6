"""`ftdist merge`: models between the base and the tuned one, measured."""

from collections.abc import Sequence

from ftdist.cli.commands.compare import measure
from ftdist.cli.common import wants_help

HELP = """Usage: ftdist merge R [merge.alphas=[0.4,0.6,0.8,1.0]] [eval.KEY=VALUE ...]

Mixes the weights of base and tuned model (base + alpha (tuned - base)), asks every such model what
`ftdist compare` asks, and keeps in R/merge/model the one that gains most of those that keep what
the base knows (merge.max_loss_increase), with all scores in its points.json. What an attempt that
was stopped has measured is not measured again.
"""


def main(words: Sequence[str]) -> int:
    """Measure models between a run's base and its tuned model.

    Raises:
        FtdistError: there is no such run, no exported model or no questions.
    """
    if wants_help(words, HELP):
        return 0
    return measure(words, stage="merge")
