"""Sending a run's record to W&B from here. The work, which loads wandb, is done by a child."""

from ftdist.observe.wandb.state import SyncResult
from ftdist.rundir import RunDir
from ftdist_launch.subprocesses import ask_child


def sync(run: RunDir, *, new: bool) -> SyncResult:
    """Send what W&B lacks of a run; each step once, however often this is done.

    Args:
        run: to send; it may still go on.
        new: whether to make another run in W&B, of the whole record.

    Raises:
        ConfigError: there is no key.
        WandbError: the server cannot be reached, refuses, or does not take all of it.
    """
    flags = ["--new"] if new else []
    return SyncResult(**ask_child("ftdist.observe.wandb.sync", [str(run.root), *flags]))
