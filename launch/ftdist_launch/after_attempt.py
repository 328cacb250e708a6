"""After an attempt: draw the run's curves with its end, and send W&B what killed ranks could not.

A rank that was killed leaves W&B's page open, without the last rows. A child process uploads what
W&B lacks, as `ftdist sync` does; training is over, and the wait is bounded.
"""

import os
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from ftdist.config.schema import RunConfig
from ftdist.io import child_process
from ftdist.observe.wandb.api import offline_reason
from ftdist.rundir import RunDir
from ftdist_launch.attempts import Finished
from ftdist_launch.subprocesses import environment

UPLOAD_TIMEOUT_S = 90.0
"""Longest that the end of a failed run waits for W&B."""


def after_attempt(run: RunDir, config: RunConfig, finished: Finished) -> None:
    """Draw the curves, and upload the end of a run that failed for good. Raises no Exception.

    Nothing that a run needs may wait for this: on a cluster it comes after the requeue.

    Args:
        run: whose attempt has ended.
        config: its config, with the W&B mode.
        finished: how it ended.
    """
    try:
        from ftdist.observe.training_page import write_training_page  # imports pygal and jinja2

        write_training_page(run)
    except Exception as error:  # noqa: BLE001 - a page that cannot be drawn must not end a run
        cause = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        with suppress(OSError):
            sys.stderr.write(f"The curves of run {run.name} could not be drawn: {cause}\n")
    if finished.outcome in ("failed", "crash_loop"):
        with suppress(Exception):
            upload_failure(run, config)


def upload_failure(run: RunDir, config: RunConfig) -> None:
    """Upload what W&B lacks of a run that failed; `ftdist sync` does it again if this fails."""
    if offline_reason(config.tracking, os.environ) is not None:
        return
    with tempfile.TemporaryDirectory(prefix="ftdist-") as folder, suppress(OSError):
        child = subprocess.Popen(
            child_process.command(
                "ftdist.observe.wandb.sync", [str(run.root), str(Path(folder) / "result.json")]
            ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment(),
            start_new_session=True,
        )
        try:
            child.wait(UPLOAD_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)  # wandb-core too
            child.wait()
