"""Background upload of a run's metrics to Weights & Biases.

One thread follows `metrics.jsonl` and logs new rows to W&B. Training only writes the file: W&B
errors never reach it, and neither a slow server nor a dead wandb-core delays it; at the end `close`
waits for a bounded time. If W&B is unreachable, rejects the key or loses wandb-core, the log has
one warning, `metrics.jsonl` still has every row, and `ftdist sync` uploads them later.

Every upload starts by querying the server's last step. So an attempt also uploads what an earlier
one could not, and no step is uploaded twice, whichever process died in between.
"""

import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, Literal

from ftdist.config.schema import RunConfig
from ftdist.errors import FtdistError
from ftdist.io.progress import LogFn
from ftdist.observe.metrics_tail import MetricsTail
from ftdist.observe.training_evals import ANSWERED, COLUMNS, answered, digest_of
from ftdist.observe.wandb.alerts import AlertSender
from ftdist.observe.wandb.api import OFFLINE_MODES, WandbServer, find_server
from ftdist.observe.wandb.client import WandbClient, kill_wandb_core, teardown
from ftdist.observe.wandb.disk_watch import DiskWatch
from ftdist.observe.wandb.run_config import wandb_config
from ftdist.observe.wandb.state import SenderLock, SyncState, write_url
from ftdist.plan.plan import Plan
from ftdist.rundir import RunDir

FINISH_TIMEOUT_S = 20.0
CLOSE_TIMEOUT_S = 45.0
"""Longest wait in `close`: a slow start with rows still to upload, and finishing."""

CONFIRM_TIMEOUT_S = 5.0
POLL_EVERY_S = 1.0
_LAST_JOIN_S = 5.0

ALERTS_EVERY_S = 10.0
"""Interval of looking for alerts to send."""

ALERTS_RETRY_S = 300.0
"""Interval after W&B did not accept one."""


class WandbUploader:
    """Uploads one attempt's rows to the run's W&B run. Starts at once, in the background.

    Args:
        run: its `wandb` folder holds all files, including the id of the W&B run.
        config: shown in W&B, without secrets.
        plan: shown in W&B.
        attempt: number of this attempt.
        after: the last recorded step when this attempt began; offline, earlier attempts' files
            hold the rows before it.
        log: prints a line.
        on_stop: called when somebody presses W&B's stop button.
    """

    def __init__(
        self,
        run: RunDir,
        config: RunConfig,
        plan: Plan,
        *,
        attempt: int,
        after: int,
        log: LogFn,
        on_stop: Callable[[], object],
    ) -> None:
        self._run = run
        self._config = config
        self._plan = plan
        self._attempt = attempt
        self._after = after
        self._log = log
        self._on_stop = on_stop
        self._sender = SenderLock(run, who=f"attempt {attempt}")
        self._closing = threading.Event()
        self._outcome: Literal["finished", "requeue", "failed"] = "finished"
        self._abandoned = False
        self._thread = threading.Thread(target=self._run_thread, name="wandb", daemon=True)
        self._thread.start()

    def close(self, outcome: Literal["finished", "requeue", "failed"]) -> None:
        """Finish W&B's run, waiting `CLOSE_TIMEOUT_S` at the most."""
        self._outcome = outcome
        self._closing.set()
        self._thread.join(CLOSE_TIMEOUT_S)
        if self._thread.is_alive():
            self._abandoned = True
            self._log(
                f"W&B did not finish within {CLOSE_TIMEOUT_S:.0f} s and was abandoned; "
                f"{self._later()}."
            )
            # Otherwise wandb would wait for it at exit, without limit if it hangs.
            kill_wandb_core()
            self._thread.join(_LAST_JOIN_S)

    def _run_thread(self) -> None:
        """The thread's main function."""
        try:
            self._upload()
        except Exception as error:  # noqa: BLE001 - any failure is only logged
            if not self._abandoned:
                self._log(
                    f"W&B upload stopped ({one_line(error)}); training continues, "
                    f"{self._run.metrics.name} has every row, and {self._later()}."
                )
            teardown()
        finally:
            with suppress(OSError):
                self._sender.release()

    def _upload(self) -> None:
        client, after, server = self._open()
        tail = MetricsTail(self._run, after=after)
        generations = _GenerationTable(self._run, self._config)
        alerts = _Alerts(self._run, self._config, server)
        disk = DiskWatch(self._run.wandb)
        is_closing = False
        while not is_closing:
            is_closing = self._closing.wait(POLL_EVERY_S)
            if not self._sender.renew():
                kill_wandb_core()  # the other process uploads what it still holds
                raise _OfflineError("another process uploads the run now")
            for row in tail.new_rows():
                client.log(row)
            if (problem := disk.problem()) is not None:
                self._log(
                    f"W&B's own files in {self._run.wandb} cannot be written ({problem}); training "
                    f"continues, {self._run.metrics.name} has every row, and {self._later()}."
                )
            if (problem := alerts.update()) is not None:
                self._log(f"W&B did not accept an alert ({problem}); {self._later()}.")
            problem = None if server is None else generations.update(client)
            if problem is not None:
                self._log(f"W&B did not accept the generations ({problem}); {self._later()}.")
        client.finish(
            exit_code=int(self._outcome == "failed"), preempting=self._outcome == "requeue"
        )
        if server is not None:
            if self._outcome == "finished":
                # The launcher records this event when all ranks have exited.
                done = {"event": "attempt_finished", "attempt": self._attempt, "outcome": "done"}
                alerts.update(done)
            self._confirm(server, sent=tail.last, answered=generations.uploaded)

    def _open(self) -> tuple[WandbClient, int, WandbServer | None]:
        """A client, the last step that W&B already has, and the server (None offline)."""
        if self._config.tracking.wandb != "offline":
            try:
                server, after = self._reach()
                client = self._client("online")
            except Exception as error:  # noqa: BLE001 - no key, rejected, timed out: all the same
                self._sender.release()
                teardown()
                self._log(f"W&B is offline ({one_line(error)}); {self._later()}.")
            else:
                if client.url is not None:
                    write_url(self._run, client.url)
                self._log(f"W&B: {client.url}")
                return client, after, server
        else:
            self._log(f"W&B is offline; {self._later()}.")
        return self._client("offline"), self._after, None

    def _reach(self) -> tuple[WandbServer, int]:
        """The server, and the last step that it has."""
        mode = os.environ.get("WANDB_MODE", "")
        if self._config.tracking.wandb == "auto" and mode in OFFLINE_MODES:
            raise _OfflineError(f"WANDB_MODE={mode}")
        server = find_server(os.environ)
        if server is None:
            raise _OfflineError("no key in WANDB_API_KEY or ~/.netrc")
        # While `ftdist sync` uploads earlier rows, this attempt's are kept in the file.
        while (holder := self._sender.acquire()) is not None:
            if self._closing.wait(POLL_EVERY_S):
                raise _OfflineError(f"{holder} was uploading the run")
        last = server.last_step(self._run, self._config.tracking)
        return server, max(last, SyncState.read(self._run).step)

    def _client(self, mode: Literal["online", "offline"]) -> WandbClient:
        return WandbClient(
            self._run,
            self._config.tracking,
            shown=wandb_config(
                self._run,
                self._config,
                self._plan,
                attempt=self._attempt,
                environment=os.environ,
            ),
            mode=mode,
            folder=self._run.wandb.parent,  # wandb adds its own folder `wandb`
            finish_timeout_s=FINISH_TIMEOUT_S,
            on_stop=self._on_stop,
        )

    def _confirm(self, server: WandbServer, *, sent: int, answered: str) -> None:
        """Store what the server confirms to have."""
        has = server.last_step(self._run, self._config.tracking, timeout_s=CONFIRM_TIMEOUT_S)
        ended = {"finished": "done", "failed": "failed", "requeue": ""}[self._outcome]
        state = replace(SyncState.read(self._run), step=has, ended=ended, answered=answered)
        state.write(self._run)
        if has < sent:
            self._log(f"W&B has {has} of {sent} steps; {self._later()}.")

    def _later(self) -> str:
        return f"`ftdist sync {self._run.cli_name}` uploads the rest"


class _GenerationTable:
    """Uploads the generations made in training whenever there are new ones.

    A rejected table is one line in the log.
    """

    def __init__(self, run: RunDir, config: RunConfig) -> None:
        self._run, self._config = run, config
        self._size: int | None = None
        self._has_failed = False
        self.uploaded = SyncState.read(run).answered
        """Digest of what W&B has."""

    def update(self, client: WandbClient) -> str | None:
        """Upload the table if it has changed. Returns the first error, as text."""
        try:
            size = self._run.evals.stat().st_size
        except OSError:
            return None
        if size == self._size:
            return None
        self._size = size
        try:
            rows = answered(self._run, self._config, environment=os.environ)
            if digest_of(rows) not in ("", self.uploaded):
                client.log_table(ANSWERED, rows, columns=COLUMNS)
                self.uploaded = digest_of(rows)
        except Exception as error:  # noqa: BLE001 - whatever wandb raises, or the file holds
            is_repeated, self._has_failed = self._has_failed, True
            return None if is_repeated else one_line(error)
        return None


class _Alerts:
    """Looks for alerts every `ALERTS_EVERY_S`, less often once one was not accepted."""

    def __init__(self, run: RunDir, config: RunConfig, server: WandbServer | None) -> None:
        self._sender = AlertSender(run, config, environment=os.environ)
        self._server = server
        self._next_at = 0.0
        self._has_failed = False

    def update(self, *more_events: Mapping[str, Any]) -> str | None:
        """Send what is due, at once if there are `more_events`. Returns the first error."""
        is_early = time.monotonic() < self._next_at and not more_events
        if self._server is None or is_early:
            return None
        self._next_at = time.monotonic() + ALERTS_EVERY_S
        try:
            self._sender.send_due(self._server, now=time.time(), more_events=more_events)
        except Exception as error:  # noqa: BLE001 - an alert must not end the upload
            self._next_at = time.monotonic() + ALERTS_RETRY_S
            is_repeated, self._has_failed = self._has_failed, True
            return None if is_repeated else one_line(error)
        return None


class _OfflineError(Exception):
    """Why the attempt stays offline."""


def one_line(error: Exception) -> str:
    """Any error as one line without a full stop."""
    if isinstance(error, FtdistError):
        return error.problem.rstrip(".")
    message = (str(error).splitlines() or [""])[0].rstrip(".")
    if isinstance(error, _OfflineError):
        return message
    return f"{type(error).__name__}: {message}" if message else type(error).__name__
