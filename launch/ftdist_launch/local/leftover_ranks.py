"""Refuse to work on a run whose ranks outlived the `ftdist` that started them."""

import socket
import time

from ftdist.errors import ConfigError
from ftdist.rundir import RunDir
from ftdist_launch.local.monitor import POLL_S, StopPolicy
from ftdist_launch.local.processes import ProcessId
from ftdist_launch.rank_failures import read_json

SINGLE_STAGES = {
    stage: StopPolicy.without_saving(work)
    for stage, work in (
        ("export", "the export"),
        ("compare", "the comparison"),
        ("merge", "the merge"),
    )
}
"""Stages of one process, which exits with the `ftdist` that started it: it has nothing to save."""

LEFTOVER_S = 10.0
"""How long the process of a single stage may outlive its `ftdist`."""


def refuse_leftover_ranks(run: RunDir) -> None:
    """Refuse to work on a run whose ranks outlived the `ftdist` that started them.

    The process of a single stage exits by itself; this waits for it.

    Raises:
        ConfigError: some ranks are still running on this machine.
    """
    for stage in SINGLE_STAGES:
        deadline = time.monotonic() + LEFTOVER_S
        while (pids := _leftover(run, stage)) and time.monotonic() < deadline:
            time.sleep(POLL_S)
        if pids:
            raise ConfigError(
                f"Process {pids[0]} of `ftdist {stage}` of run {run.name} is still running, "
                "although the command has ended.",
                remedy=f"kill it with `kill -9 {pids[0]}` (it has nothing to save), then retry.",
            )
    pids = _leftover(run, "*")
    if pids:
        ranks = "1 rank" if len(pids) == 1 else f"{len(pids)} ranks"
        raise ConfigError(
            f"{ranks} of run {run.name} still running without the ftdist that started the run: "
            f"PID {', '.join(pids)}.",
            remedy=f"let it save and exit with `kill -USR2 {' '.join(pids)}`, then retry.",
        )


def _leftover(run: RunDir, stage: str) -> list[str]:
    """Pids of ranks running on this machine, of one folder of attempts or (*) of all."""
    pids = []
    for path in run.attempts.glob(f"{stage}/rank-*.start.json"):
        started = read_json(path)
        if started is None or started["host"] != socket.gethostname():
            continue
        if ProcessId(pid=started["pid"], start_ticks=started["start_ticks"]).alive:
            pids.append(str(started["pid"]))
    return pids
