"""Upload what a stage made to the run's W&B run: the comparison, or the exported model.

The record comes first: report and export are in the run directory, and `ftdist sync` uploads what
W&B lacks of a run. This does the same in a thread, and waits for a bounded time; whatever W&B
raises, the stage has succeeded.
"""

import os
import threading

from ftdist.config.schema import RunConfig
from ftdist.io.progress import LogFn
from ftdist.observe.wandb.api import offline_reason
from ftdist.observe.wandb.artifacts import run_artifacts
from ftdist.observe.wandb.client import kill_wandb_core
from ftdist.observe.wandb.sync import MIN_BYTES_PER_S, sync
from ftdist.observe.wandb.uploader import one_line
from ftdist.rundir import RunDir

WAIT_S = 90.0
"""Longest that a stage waits for W&B at its end, besides the time for the files of artifacts."""

MAX_WAIT_S = 600.0
"""Longest that it waits in all: later stages of the run wait for it, and GPUs may be idle."""

FINISH_TIMEOUT_S = 20.0
"""Longest that the server may take for each table, and then for the rest."""

_LAST_WAIT_S = 5.0


def upload_comparison(run: RunDir, config: RunConfig, *, log: LogFn) -> None:
    """Upload a run's comparison to W&B, if the config and the network allow it.

    Args:
        run: the compared run.
        config: its config, with the W&B mode.
        log: prints a line.
    """
    _upload(run, config, what="the comparison", wait_s=WAIT_S, with_artifacts=False, log=log)


def upload_artifacts(run: RunDir, config: RunConfig, *, log: LogFn) -> None:
    """Upload a run's library and exported model to W&B, if `tracking.artifacts` says so.

    Args:
        run: the exported run.
        config: its config, with the W&B mode.
        log: prints a line.
    """
    artifacts = run_artifacts(run, config, environment=os.environ)
    if artifacts:
        wait_s = longest_wait_s(sum(artifact.size for artifact in artifacts))
        _upload(run, config, what="the artifacts", wait_s=wait_s, with_artifacts=True, log=log)


def longest_wait_s(size: int) -> float:
    """How long a stage waits at most for the upload of artifacts of this size in bytes."""
    return min(WAIT_S + size / MIN_BYTES_PER_S, MAX_WAIT_S)


def _upload(
    run: RunDir,
    config: RunConfig,
    *,
    what: str,
    wait_s: float,
    with_artifacts: bool,
    log: LogFn,
) -> None:
    later = f"`ftdist sync {run.cli_name}` uploads {what}"
    if config.tracking.wandb == "off":
        return
    why = offline_reason(config.tracking, os.environ)
    if why is not None:
        log(f"W&B is offline{why}; {later}.")
        return
    lines: list[str] = []
    ended = threading.Event()

    def send() -> None:
        lines.append(_send(run, what=what, later=later, with_artifacts=with_artifacts))
        ended.set()

    threading.Thread(target=send, daemon=True).start()
    problem = f"W&B did not answer within {wait_s:.0f} s"
    try:
        ended.wait(wait_s)
    except SystemExit:  # a stop signal; the stage has succeeded, and need not start again
        problem = "The upload to W&B was stopped with the job"
    if not ended.is_set():
        # Otherwise wandb waits for it at interpreter exit, indefinitely if it hangs.
        kill_wandb_core()
        ended.wait(_LAST_WAIT_S)
        lines = [f"{problem}; {later}."]
    for line in lines:
        log(line)


def _send(run: RunDir, *, what: str, later: str, with_artifacts: bool) -> str:
    """Upload, and say in one line what W&B has."""
    try:
        done = sync(
            run,
            new=False,
            environment=os.environ,
            finish_timeout_s=FINISH_TIMEOUT_S,
            with_artifacts=with_artifacts,
        )
    except Exception as error:  # noqa: BLE001 - any failure is only logged
        return f"W&B did not get {what} ({one_line(error)}); {later}."
    if done.by_itself:
        return f"The run is uploading to W&B now; {later} afterwards."
    if done.artifacts:
        return f"W&B has {' and '.join(done.artifacts)}: {done.url}"
    if done.comparison:
        return f"W&B has {done.comparison}: {done.url}"
    these = "these artifacts" if with_artifacts else "this comparison"
    return f"W&B has {these} already: {done.url}"
