"""Weights & Biases as a mirror that can break without anybody noticing it in training.

The mirror is one background thread that follows the run's record, `metrics.jsonl`, and tells W&B
what is new there. Training writes its record and knows nothing of W&B: nothing that W&B raises
reaches it, and nothing that W&B waits for (a server, its helper process wandb-core) holds it up;
at the end `close` waits for a bounded time. Where W&B is not reachable, refuses the key, or loses
wandb-core, one line says so, the record holds every row still, and `ftdist sync` sends them later.

Whoever sends begins by asking the server which step it has last. So an attempt also brings what an
earlier one could not, and no step is sent twice, whoever died in between.
"""

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Literal

from ftdist.config.schema import RunConfig
from ftdist.errors import FtdistError
from ftdist.observe.metrics_tail import MetricsTail
from ftdist.observe.training_evals import ANSWERED, COLUMNS, answered, digest_of
from ftdist.observe.wandb.api import WandbServer, find_server
from ftdist.observe.wandb.client import WandbClient, close_remains, kill_wandb_core
from ftdist.observe.wandb.run_config import wandb_config
from ftdist.observe.wandb.state import SenderLock, SyncState, write_url
from ftdist.plan.plan import Plan
from ftdist.rundir import RunDir

FINISH_TIMEOUT_S = 20.0
CLOSE_TIMEOUT_S = 45.0
"""Longest that `close` waits: a slow start whose rows are still to be sent, and finishing."""

CONFIRM_TIMEOUT_S = 5.0
LOOK_EVERY_S = 1.0
_LAST_JOIN_S = 5.0

OFFLINE_MODES = ("offline", "dryrun", "disabled")
"""Values of WANDB_MODE by which people keep all their runs from a server."""


class WandbUploader:
    """One attempt's part of the run's one W&B run. Starts at once, in the background.

    Args:
        run: all files lie in its `wandb` folder, and the run's W&B id as well.
        config: shown in W&B, without secrets.
        plan: shown in W&B.
        attempt: of this start.
        after: the last step on record when this attempt began; offline, earlier attempts' files
            have what came before.
        note: says a line to people.
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
        note: Callable[[str], None],
        on_stop: Callable[[], None],
    ) -> None:
        self._run = run
        self._config = config
        self._plan = plan
        self._attempt = attempt
        self._after = after
        self._note = note
        self._on_stop = on_stop
        self._sender = SenderLock(run, who=f"attempt {attempt}")
        self._over = threading.Event()
        self._outcome: Literal["finished", "requeue", "failed"] = "finished"
        self._left_behind = False
        self._thread = threading.Thread(target=self._work, name="wandb", daemon=True)
        self._thread.start()

    def close(self, outcome: Literal["finished", "requeue", "failed"]) -> None:
        """Finish W&B's run, waiting `CLOSE_TIMEOUT_S` at the most."""
        self._outcome = outcome
        self._over.set()
        self._thread.join(CLOSE_TIMEOUT_S)
        if self._thread.is_alive():
            self._left_behind = True
            self._note(
                f"W&B did not finish within {CLOSE_TIMEOUT_S:.0f} s and is left behind; "
                f"{self._later()}."
            )
            # Else wandb would wait for it when the interpreter ends, for ever if it hangs.
            kill_wandb_core()
            self._thread.join(_LAST_JOIN_S)

    def _work(self) -> None:
        """The thread: everything that wandb does."""
        try:
            self._mirror()
        except Exception as error:  # noqa: BLE001 - a mirror's failure, of whatever kind, is told
            if not self._left_behind:
                self._note(
                    f"W&B stopped ({one_line(error)}); training goes on, "
                    f"{self._run.metrics.name} has every row, and {self._later()}."
                )
            close_remains()
        finally:
            with suppress(OSError):
                self._sender.release()

    def _mirror(self) -> None:
        client, after, server = self._open()
        tail = MetricsTail(self._run, after=after)
        answers = _Answers(self._run, self._config)
        over = False
        while not over:
            over = self._over.wait(LOOK_EVERY_S)
            if not self._sender.show():
                kill_wandb_core()  # what it still holds is the other's to send
                raise _StaysOfflineError("another process sends the run's rows now")
            for row in tail.new_rows():
                client.log(row)
            problem = None if server is None else answers.show(client)
            if problem is not None:
                self._note(f"W&B has not got the answers of now ({problem}); {self._later()}.")
        failed, goes_on = self._outcome == "failed", self._outcome == "requeue"
        client.finish(exit_code=int(failed), preempting=goes_on)
        if server is not None:
            self._confirm(server, sent=tail.last, answers=answers.shown)

    def _open(self) -> tuple[WandbClient, int, WandbServer | None]:
        """A client, the last step that need not be sent, and the server if one is told."""
        if self._config.tracking.wandb != "offline":
            try:
                server, after = self._reach()
                client = self._client("online")
            except Exception as error:  # noqa: BLE001 - no key, refused, timed out: all the same
                self._sender.release()
                close_remains()
                self._note(f"W&B is offline ({one_line(error)}); {self._later()}.")
            else:
                if client.url is not None:
                    write_url(self._run, client.url)
                self._note(f"W&B: {client.url}")
                return client, after, server
        else:
            self._note(f"W&B is offline; {self._later()}.")
        return self._client("offline"), self._after, None

    def _reach(self) -> tuple[WandbServer, int]:
        """The server to tell, and the last step that it has."""
        mode = os.environ.get("WANDB_MODE", "")
        if self._config.tracking.wandb == "auto" and mode in OFFLINE_MODES:
            raise _StaysOfflineError(f"WANDB_MODE={mode}")
        server = find_server(os.environ)
        if server is None:
            raise _StaysOfflineError("there is no key in WANDB_API_KEY or ~/.netrc")
        # While `ftdist sync` sends the run's earlier rows, this attempt's are on record.
        while (holder := self._sender.take()) is not None:
            if self._over.wait(LOOK_EVERY_S):
                raise _StaysOfflineError(f"{holder} was sending the run's rows")
        has = server.last_step(self._run, self._config.tracking)
        return server, max(has, SyncState.read(self._run).step)

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
            folder=self._run.wandb.parent,  # wandb adds its own folder, called wandb
            finish_timeout_s=FINISH_TIMEOUT_S,
            on_stop=self._on_stop,
        )

    def _confirm(self, server: WandbServer, *, sent: int, answers: str) -> None:
        """Put on record how far the server says it has the run."""
        has = server.last_step(self._run, self._config.tracking, timeout_s=CONFIRM_TIMEOUT_S)
        ended = {"finished": "done", "failed": "failed", "requeue": ""}[self._outcome]
        known = SyncState.read(self._run)
        replace(known, step=has, ended=ended, answered=answers).write(self._run)
        if has < sent:
            self._note(f"W&B has {has} of {sent} steps; {self._later()}.")

    def _later(self) -> str:
        return f"`ftdist sync {self._run.cli_name}` sends what it lacks"


class _Answers:
    """Shows what the model answers while it learns, whenever there is more of it.

    A table that W&B does not take is one line in the log.
    """

    def __init__(self, run: RunDir, config: RunConfig) -> None:
        self._run, self._config = run, config
        self._looked_at: int | None = None
        self._told = False
        self.shown = SyncState.read(run).answered
        """Digest of what W&B has."""

    def show(self, client: WandbClient) -> str | None:
        """Show all of it if it is not the same as before; what went wrong, the first time."""
        try:
            size = self._run.measures.stat().st_size
        except OSError:
            return None
        if size == self._looked_at:
            return None
        self._looked_at = size
        try:
            rows = answered(self._run, self._config, environment=os.environ)
            if digest_of(rows) not in ("", self.shown):
                client.show_table(ANSWERED, rows, columns=COLUMNS)
                self.shown = digest_of(rows)
        except Exception as error:  # noqa: BLE001 - whatever wandb raises, or the file holds
            told, self._told = self._told, True
            return None if told else one_line(error)
        return None


class _StaysOfflineError(Exception):
    """Why no server is told."""


def one_line(error: Exception) -> str:
    """What an error of whatever kind says, without the full stop."""
    if isinstance(error, FtdistError):
        return error.problem.rstrip(".")
    words = (str(error).splitlines() or [""])[0].rstrip(".")
    if isinstance(error, _StaysOfflineError):
        return words
    return f"{type(error).__name__}: {words}" if words else type(error).__name__
