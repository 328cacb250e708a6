"""`ftdist ask`: one question, answered by the base and by the tuned model of a run."""

from collections.abc import Sequence

from ftdist.cli.common import wants_help
from ftdist.cli.interactive import split, talk
from ftdist.data.messages import is_text
from ftdist.errors import ConfigError

HELP = """Usage: ftdist ask R "QUESTION" [--merged] [eval.max_new_tokens=N]
                  [cluster.device=cpu]

Writes what the base model and the exported model of run R (--merged: the one that `ftdist merge`
kept) answer, one under the other. It runs here, also for a run of a cluster.
"""


def main(words: Sequence[str]) -> int:
    """Ask both models of a run.

    Raises:
        FtdistError: there is no such run, no exported model, or no question that is text.
    """
    if wants_help(words, HELP):
        return 0
    said, keys = split(words)
    question = " ".join(said[1:])
    if not question.strip():
        run = said[0] if said else "R"
        raise ConfigError(
            f"`ftdist ask` was given no {'question' if said else 'run and no question'}.",
            remedy=f'write it behind the run: `ftdist ask {run} "How do I ...?"`.',
        )
    if not is_text(question):
        raise ConfigError(
            "The question is not UTF-8 text.",
            remedy="write it in UTF-8: `locale` says what this terminal writes.",
        )
    return talk([*said[:1], *keys], verb="ask", question=question)
