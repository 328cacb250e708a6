"""Upload a run's metrics to W&B, as a child process: `python -m ftdist.observe.wandb.sync RUN`.

Uploads what the server lacks, from `metrics.jsonl` alone: for a run that was offline, whose upload
broke, or that is still running. The server is queried for its last step before and after, so every
step is uploaded once, however often this is called. The comparison and the generations made in
training are uploaded too unless `synced.json` has their digest; they replace what W&B had before.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TypeVar

from ftdist.config.saved_config import load_config
from ftdist.config.schema import RunConfig
from ftdist.errors import ConfigError
from ftdist.io.child_result import write_result
from ftdist.observe.metrics_tail import MetricsTail
from ftdist.observe.training_evals import ANSWERED, COLUMNS, Row, answered, digest_of
from ftdist.observe.wandb.alerts import AlertSender
from ftdist.observe.wandb.api import WandbError, WandbServer, find_server
from ftdist.observe.wandb.artifacts import RunArtifact, run_artifacts
from ftdist.observe.wandb.client import WandbClient, kill_wandb_core, teardown
from ftdist.observe.wandb.comparison_table import Comparison, read_comparison
from ftdist.observe.wandb.run_config import wandb_config
from ftdist.observe.wandb.state import (
    SenderLock,
    SyncResult,
    SyncState,
    forget,
    read_url,
    write_url,
)
from ftdist.plan.plan import Plan
from ftdist.rundir import RunDir

Value = TypeVar("Value")

FINISH_TIMEOUT_S = 600.0
"""Longest time for the server to accept all rows of a run."""

MIN_BYTES_PER_S = 2e6
"""Speed at which the files of an artifact are hashed and uploaded at the least."""

CONFIRM_TIMEOUT_S = 10.0
"""Longest time for the server to show what it accepted."""

_OUTCOMES = {"done": "done", "failed": "failed", "crash_loop": "failed"}


def sync(
    run: RunDir,
    *,
    new: bool,
    environment: Mapping[str, str],
    finish_timeout_s: float = FINISH_TIMEOUT_S,
    with_artifacts: bool = True,
) -> SyncResult:
    """Upload what the server lacks of a run.

    Args:
        run: to upload.
        new: whether to create another W&B run, with all rows.
        environment: holds the key, or says where it is.
        finish_timeout_s: longest time for the server.
        with_artifacts: whether to upload artifacts, which may take long.

    Raises:
        ConfigError: there is no key.
        WandbError: the server is unreachable, rejects the upload or accepts only a part.
    """
    config = load_config(run.config)
    server = find_server(environment)
    if server is None:
        raise ConfigError(
            "No W&B key in WANDB_API_KEY or ~/.netrc.",
            remedy="run `wandb login` once, or set WANDB_API_KEY.",
        )
    run.wandb.mkdir(exist_ok=True)
    sender = SenderLock(run, who="ftdist sync")
    holder = sender.acquire()
    if holder is not None and holder.startswith("attempt "):
        return SyncResult(sent=0, step=SyncState.read(run).step, url=read_url(run), by_itself=True)
    if holder is not None:
        raise WandbError(
            f"Another `ftdist sync` is uploading run {run.name}.",
            remedy="wait for it; a killed one times out after two minutes.",
        )
    try:
        if new:
            forget(run)
        artifacts = run_artifacts(run, config, environment=environment) if with_artifacts else []
        with sender.renewed(on_loss=kill_wandb_core):
            return _upload(
                run, config, server, artifacts=artifacts, finish_timeout_s=finish_timeout_s
            )
    finally:
        sender.release()


def _upload(
    run: RunDir,
    config: RunConfig,
    server: WandbServer,
    *,
    artifacts: Sequence[RunArtifact],
    finish_timeout_s: float,
) -> SyncResult:
    state = SyncState.read(run)
    last_step = max(server.last_step(run, config.tracking), state.step)
    tail = MetricsTail(run, after=last_step)
    rows = list(tail.new_rows())
    ended = _outcome(run)
    comparison = _new_comparison(run, config, state)
    answers = answered(run, config, environment=os.environ)
    has_new_answers = digest_of(answers) != state.answered
    is_open = ended != state.ended and last_step > 0
    alerts = AlertSender(run, config, environment=os.environ)
    has_alerts = bool(alerts.due(now=time.time()))
    artifacts = [
        artifact for artifact in artifacts if artifact.digest != state.artifacts.get(artifact.name)
    ]
    has_news = has_new_answers or is_open or has_alerts or artifacts
    if not (rows or comparison is not None or has_news):
        return SyncResult(sent=0, step=last_step, url=read_url(run))
    with _client(run, config, finish_timeout_s=finish_timeout_s) as client:
        for row in rows:
            client.log(row)
        if comparison is not None:
            client.log_comparison(comparison)
        if has_new_answers:
            client.log_table(ANSWERED, answers, columns=COLUMNS)
        _log_artifacts(client, artifacts, config, finish_timeout_s=finish_timeout_s)
        client.finish(exit_code=int(ended == "failed"), preempting=not ended)
    _record_artifacts(run, artifacts)
    last_step = _confirm(
        run, config, server, step=tail.last, ended=ended, comparison=comparison, answers=answers
    )
    num_alerts = alerts.send_due(server, now=time.time())
    return SyncResult(
        sent=len(rows),
        step=last_step,
        url=client.url,
        comparison="" if comparison is None else comparison.description,
        answers=len(answers) if has_new_answers else 0,
        alerts=num_alerts,
        artifacts=[artifact.name for artifact in artifacts],
    )


def _new_comparison(run: RunDir, config: RunConfig, state: SyncState) -> Comparison | None:
    """The run's comparison, unless there is none or it was uploaded before."""
    comparison = read_comparison(run, config, environment=os.environ)
    if comparison is not None and comparison.digest == state.compared:
        return None
    return comparison


def _log_artifacts(
    client: WandbClient,
    artifacts: Sequence[RunArtifact],
    config: RunConfig,
    *,
    finish_timeout_s: float,
) -> None:
    upload = config.tracking.artifacts == "files"
    for artifact in artifacts:
        timeout_s = finish_timeout_s + artifact.size / MIN_BYTES_PER_S
        client.log_artifact(artifact, upload=upload, timeout_s=timeout_s)


@contextmanager
def _client(run: RunDir, config: RunConfig, *, finish_timeout_s: float) -> Iterator[WandbClient]:
    """A client; any error becomes one WandbError and leaves no process behind."""
    plan = Plan.from_json(run.plan.read_text(encoding="utf-8"))
    attempt = max(1, run.newest_attempt())
    shown = wandb_config(run, config, plan, attempt=attempt, environment=os.environ)
    try:
        with tempfile.TemporaryDirectory(prefix="ftdist-") as folder:
            client = WandbClient(
                run,
                config.tracking,
                shown=shown,
                mode="online",
                folder=Path(folder),
                finish_timeout_s=finish_timeout_s,
                on_stop=_ignore,
            )
            if client.url is not None:
                write_url(run, client.url)
            yield client
    except Exception as error:
        kill_wandb_core()
        teardown()
        message = (str(error).splitlines() or [""])[0][:300]
        raise WandbError(
            f"W&B rejected run {run.name}: {type(error).__name__}: {message}".rstrip(".") + ".",
            remedy="try again later: nothing is uploaded twice. If its page was deleted, run "
            f"`ftdist sync {run.cli_name} --new` to create another.",
        ) from error


def _poll(query: Callable[[], Value], is_done: Callable[[Value], bool]) -> Value:
    """Repeat a query until done or `CONFIRM_TIMEOUT_S` is over; servers show uploads late."""
    deadline = time.monotonic() + CONFIRM_TIMEOUT_S
    while not is_done(value := query()) and time.monotonic() <= deadline:
        time.sleep(0.5)
    return value


def _incomplete(run: RunDir, problem: str) -> WandbError:
    return WandbError(problem, remedy=f"run `ftdist sync {run.cli_name}` again for the rest.")


def _confirm(
    run: RunDir,
    config: RunConfig,
    server: WandbServer,
    *,
    step: int,
    ended: str,
    comparison: Comparison | None,
    answers: Sequence[Row],
) -> int:
    """Store what the server has accepted. Returns its last step.

    Raises:
        WandbError: it has not accepted everything.
    """
    tracking = config.tracking
    last_step = _poll(lambda: server.last_step(run, tracking), lambda last: last >= step)
    compared = SyncState.read(run).compared
    if comparison is not None:
        compared = _poll(
            lambda: server.comparison_digest(run, tracking),
            lambda digest: digest == comparison.digest,
        )
    replace(
        SyncState.read(run),
        step=last_step,
        ended=ended,
        compared=compared,
        answered=digest_of(answers),
    ).write(run)
    if last_step < step:
        raise _incomplete(run, f"W&B has {last_step} of {step} steps of run {run.name}.")
    if comparison is not None and compared != comparison.digest:
        raise _incomplete(run, f"W&B did not accept the comparison of run {run.name}.")
    return last_step


def _record_artifacts(run: RunDir, artifacts: Sequence[RunArtifact]) -> None:
    """Store which artifacts the server has accepted."""
    state = SyncState.read(run)
    digests = {artifact.name: artifact.digest for artifact in artifacts}
    replace(state, artifacts={**state.artifacts, **digests}).write(run)


def _outcome(run: RunDir) -> str:
    """How the run ended, "done" or "failed"; "" while it is open."""
    outcome = ""
    for event in run.read_events():
        if event.get("event") in ("run_requested", "attempt_started"):
            outcome = ""
        elif event.get("event") == "attempt_finished":
            outcome = _OUTCOMES.get(event["outcome"], "")
    return outcome


def _ignore() -> None:
    """An upload has nothing to stop."""


def main(root: str, *arguments: str) -> int:
    """Upload a run; write the result as JSON to the path in the last argument."""
    *flags, result = arguments
    run = RunDir(Path(root))
    return write_result(
        Path(result), lambda: asdict(sync(run, new="--new" in flags, environment=os.environ))
    )


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
