"""A child process that sends a run's record to W&B: `python -m ftdist.observe.wandb.sync RUN`.

It brings what the server lacks, from `metrics.jsonl` alone: of a run that was offline, of one whose
mirror broke, of one that still goes on. The server is asked first which step it has last, and asked
again at the end, so each step is sent once however often this is done. A comparison with the base
goes the same way, and so do answers that were written while it learned, unless the digest on record
says that the server has them: what is sent takes the place of what was there before.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from ftdist.config.compose import load_config
from ftdist.config.schema import RunConfig
from ftdist.errors import ConfigError, FtdistError
from ftdist.observe.metrics_tail import MetricsTail
from ftdist.observe.training_evals import ANSWERED, COLUMNS, answered, digest_of
from ftdist.observe.wandb.api import WandbError, WandbServer, find_server
from ftdist.observe.wandb.client import WandbClient, close_remains, kill_wandb_core
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

FINISH_TIMEOUT_S = 600.0
"""Longest that the server may take for all rows of a run."""

CONFIRM_S = 10.0
"""How long the server has to show what it took."""


def sync(
    run: RunDir,
    *,
    new: bool,
    environment: Mapping[str, str],
    finish_timeout_s: float = FINISH_TIMEOUT_S,
) -> SyncResult:
    """Send what the server lacks of a run.

    Args:
        run: to send.
        new: whether to make another run in W&B, of the whole record.
        environment: has or names the key.
        finish_timeout_s: longest that the server may take.

    Raises:
        ConfigError: there is no key.
        WandbError: the server cannot be reached, refuses, or does not take all of it.
    """
    config = load_config(run.config)
    server = find_server(environment)
    if server is None:
        raise ConfigError(
            "There is no W&B key in WANDB_API_KEY or ~/.netrc.",
            remedy="run `wandb login` once, or set WANDB_API_KEY.",
        )
    run.wandb.mkdir(exist_ok=True)
    sender = SenderLock(run, who="ftdist sync")
    holder = sender.take()
    if holder is not None and holder.startswith("attempt "):
        return SyncResult(sent=0, step=SyncState.read(run).step, url=read_url(run), by_itself=True)
    if holder is not None:
        raise WandbError(
            f"Another `ftdist sync` is sending run {run.name}.",
            remedy="wait for it; one that was killed counts as ended after two minutes.",
        )
    try:
        if new:
            forget(run)
        return _send(run, config, server, sender, finish_timeout_s=finish_timeout_s)
    finally:
        sender.release()


def _send(
    run: RunDir,
    config: RunConfig,
    server: WandbServer,
    sender: SenderLock,
    *,
    finish_timeout_s: float,
) -> SyncResult:
    known = SyncState.read(run)
    has = max(server.last_step(run, config.tracking), known.step)
    tail = MetricsTail(run, after=has)
    rows = list(tail.new_rows())
    ended = _ended(run)
    comparison = read_comparison(run, config, environment=os.environ)
    if comparison is not None and comparison.digest == known.compared:
        comparison = None
    answers = answered(run, config, environment=os.environ)
    is_changed = comparison is not None or digest_of(answers) != known.answered
    if not rows and not is_changed and (ended == known.ended or has == 0):
        return SyncResult(sent=0, step=has, url=read_url(run))
    plan = Plan.from_json(run.plan.read_text(encoding="utf-8"))
    shown = wandb_config(
        run, config, plan, attempt=max(1, run.newest_attempt()), environment=os.environ
    )
    with tempfile.TemporaryDirectory(prefix="ftdist-") as folder, _told(run):
        client = WandbClient(
            run,
            config.tracking,
            shown=shown,
            mode="online",
            folder=Path(folder),
            finish_timeout_s=finish_timeout_s,
            on_stop=_nothing,
        )
        if client.url is not None:
            write_url(run, client.url)
        for row in rows:
            client.log(row)
            sender.show()
        if comparison is not None:
            client.show(comparison)
        if digest_of(answers) != known.answered:
            client.show_table(ANSWERED, answers, columns=COLUMNS)
        client.finish(exit_code=int(ended == "failed"), preempting=not ended)
    has = _confirmed(run, config, server, sent=tail.last)
    compared = known.compared
    if comparison is not None and _has_comparison(run, config, server, comparison=comparison):
        compared = comparison.digest
    SyncState(step=has, ended=ended, compared=compared, answered=digest_of(answers)).write(run)
    if has < tail.last:
        raise _not_taken(run, f"W&B has taken {has} of {tail.last} steps of run {run.name}.")
    if comparison is not None and compared != comparison.digest:
        raise _not_taken(run, f"W&B has not taken the comparison of run {run.name} with its base.")
    told = "" if comparison is None else comparison.told
    return SyncResult(
        sent=len(rows),
        step=has,
        url=client.url,
        comparison=told,
        answers=len(answers) if digest_of(answers) != known.answered else 0,
    )


@contextmanager
def _told(run: RunDir) -> Iterator[None]:
    """Make one sentence of whatever wandb raises within, and leave nothing of it behind."""
    try:
        yield
    except Exception as error:
        kill_wandb_core()
        close_remains()
        words = (str(error).splitlines() or [""])[0][:300]
        raise WandbError(
            f"W&B did not take run {run.name}: {type(error).__name__}: {words}".rstrip(".") + ".",
            remedy="ask again later: what it has taken is not sent twice; where its page was "
            f"deleted, `ftdist sync {run.cli_name} --new` makes another.",
        ) from error


def _confirmed(run: RunDir, config: RunConfig, server: WandbServer, *, sent: int) -> int:
    """The newest step that the server says it has; a large one shows it a moment later."""
    patience = time.monotonic() + CONFIRM_S
    while (has := server.last_step(run, config.tracking)) < sent:
        if time.monotonic() > patience:
            break
        time.sleep(0.5)
    return has


def _has_comparison(
    run: RunDir, config: RunConfig, server: WandbServer, *, comparison: Comparison
) -> bool:
    """Whether the server says that it has a comparison, which it may do a moment later."""
    patience = time.monotonic() + CONFIRM_S
    while server.compared(run, config.tracking) != comparison.digest:
        if time.monotonic() > patience:
            return False
        time.sleep(0.5)
    return True


def _not_taken(run: RunDir, problem: str) -> WandbError:
    return WandbError(problem, remedy=f"ask again: `ftdist sync {run.cli_name}` sends the rest.")


def _ended(run: RunDir) -> str:
    """How the run ended: "done", "failed"; "" for one that goes on, or may."""
    ended = ""
    for event in run.read_events():
        if event.get("event") in ("run_requested", "attempt_started"):
            ended = ""
        elif event.get("event") == "attempt_finished":
            ended = _ENDS.get(event["outcome"], "")
    return ended


_ENDS = {"done": "done", "failed": "failed", "crash_loop": "failed"}


def _nothing() -> None:
    """There is nothing to stop here."""


def main(root: str, *words: str) -> int:
    """Send a run, and write what came of it, or the error, as JSON to the last word."""
    *flags, answer = words
    fields: Mapping[str, object]
    try:
        fields = asdict(sync(RunDir(Path(root)), new="--new" in flags, environment=os.environ))
        code = 0
    except FtdistError as error:
        code = error.exit_code
        fields = {"problem": error.problem, "remedy": error.remedy, "exit_code": code}
    Path(answer).write_text(json.dumps(fields), encoding="utf-8")
    return code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
