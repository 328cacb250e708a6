"""`ftdist sync`: bring a run's measurements to W&B, from where there is a network."""

from collections.abc import Sequence

from ftdist.cli.common import named_run, print_result, wants_help

HELP = """Usage: ftdist sync R [--new]

Sends what Weights & Biases lacks of run R, from the run's own record: of a run that was offline,
or whose connection broke, also while it goes on. Its newest comparison goes along. No step is sent
twice, however often you ask.
--new makes another run in W&B and sends all of it, for one that was deleted there.
"""


def main(words: Sequence[str]) -> int:
    """Send a run to W&B.

    Raises:
        FtdistError: there is no such run, no key, or W&B does not take it.
    """
    if wants_help(words, HELP):
        return 0
    new = "--new" in words
    run, _ = named_run([w for w in words if w != "--new"], verb="sync", takes_keys=False)

    from ftdist_launch.subprocesses import call_child

    from ftdist.observe.wandb.state import SyncResult

    flags = ["--new"] if new else []
    done = SyncResult(**call_child("ftdist.observe.wandb.sync", [str(run.root), *flags]))
    if done.by_itself:
        print_result(f"Run {run.name} sends its rows to W&B itself: {done.url}")
    elif done.step == 0 and not done.comparison:
        print_result(f"Run {run.name} has nothing on record to send yet.")
    else:
        sent = [f"{done.sent} sent now"] if done.sent else []
        sent += [f"{done.answers} answers of its course sent now"] if done.answers else []
        sent += [f"{done.comparison} sent now"] if done.comparison else []
        told = ", ".join(sent) or "nothing was lacking"
        print_result(f"W&B has run {run.name} up to step {done.step}, {told}: {done.url}")
    return 0
