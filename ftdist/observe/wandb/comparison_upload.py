"""A comparison's way to W&B, into the run that training logged to; it can break without harm.

The record comes first: the report lies in the run directory, and `ftdist sync` sends what W&B lacks
of a run, its comparison included. All that is done here is to ask for just that, in a thread that
is waited for no longer than `WAIT_S`; whatever W&B raises or waits for, the comparison is made.
"""

import os
import threading

from ftdist.config.schema import RunConfig
from ftdist.io.progress import LogFn
from ftdist.observe.wandb.api import offline_reason
from ftdist.observe.wandb.client import kill_wandb_core
from ftdist.observe.wandb.sync import sync
from ftdist.observe.wandb.uploader import one_line
from ftdist.rundir import RunDir

WAIT_S = 90.0
"""Longest that a comparison waits for W&B at its end."""

FINISH_TIMEOUT_S = 20.0
"""Longest that the server may take for each table, and then for the rest."""

_LAST_JOIN_S = 5.0


def upload_comparison(run: RunDir, config: RunConfig, *, log: LogFn) -> None:
    """Upload a run's comparison to W&B, if the config and the network allow it.

    Args:
        run: the compared run.
        config: its config, with the W&B mode.
        log: prints a line.
    """
    later = f"`ftdist sync {run.cli_name}` uploads the comparison"
    if config.tracking.wandb == "off":
        return
    why = offline_reason(config.tracking, os.environ)
    if why is not None:
        log(f"W&B is offline{why}; {later}.")
        return
    lines: list[str] = []
    thread = threading.Thread(target=_send, args=(run, later, lines.append), daemon=True)
    thread.start()
    thread.join(WAIT_S)
    if thread.is_alive():
        # Otherwise wandb waits for it at interpreter exit, indefinitely if it hangs.
        kill_wandb_core()
        thread.join(_LAST_JOIN_S)
        lines = [f"W&B did not answer within {WAIT_S:.0f} s; {later}."]
    for line in lines:
        log(line)


def _send(run: RunDir, later: str, log: LogFn) -> None:
    """The thread's main function."""
    try:
        done = sync(run, new=False, environment=os.environ, finish_timeout_s=FINISH_TIMEOUT_S)
    except Exception as error:  # noqa: BLE001 - any failure is only logged
        log(f"W&B did not get the comparison ({one_line(error)}); {later}.")
        return
    if done.by_itself:
        log(f"The run is uploading to W&B now; {later} afterwards.")
    elif done.comparison:
        log(f"W&B has {done.comparison}: {done.url}")
    else:
        log(f"W&B has this comparison already: {done.url}")
