"""`ftdist chat`: a conversation with the tuned model of a run."""

from collections.abc import Sequence

from ftdist.cli.common import wants_help
from ftdist.cli.interactive import talk

HELP = """Usage: ftdist chat R [--merged] [eval.max_new_tokens=N] [cluster.device=cpu]

Talks with the exported model of run R, which keeps what was said in mind; --merged: with the one
that `ftdist merge` kept. /reset forgets what was said, /help says what there is, Ctrl-C stops an
answer, Ctrl-D or /quit ends. It runs here, also for a run of a cluster.
"""


def main(words: Sequence[str]) -> int:
    """Talk with the tuned model of a run.

    Raises:
        FtdistError: there is no such run, or no exported model.
    """
    if wants_help(words, HELP):
        return 0
    return talk(words, verb="chat", question=None)
