"""Weights & Biases as a mirror that can break without anybody noticing it in training.

Every call into wandb, its import included, happens on one background thread that reads a bounded
queue. So nothing it raises reaches the trainer, and nothing it waits for (a server, its helper
process wandb-core) holds the trainer up: `log` puts a row in the queue, `close` waits for a bounded
time. Training goes on when W&B is not reachable, refuses the key, or loses wandb-core; then
one line says so, and metrics.jsonl holds every row still.

Found by trying wandb 0.31: wandb-core may die with a signal meant for the job, and `run.log` raises
from then on; `finish` waits for ever by default; rows reach the file only every 15 s by default;
`log(step=)` drops rows after a resume, and offline parts of one run get their own step counter
shifted when they are synced. So the x-axis is a metric of our own, and `step=` is never passed.

Privacy: no argv, host facts, git remote, packages, printed text or code leave the process, and
nothing in the config that looks like a secret. Keys come from the environment or netrc.
"""

import hashlib
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from ftdist.config.plan import Plan
from ftdist.config.schema import RunConfig
from ftdist.observe.redact import redacted
from ftdist.rundir import RunDir, write_whole

GLOBAL_STEP = "trainer/global_step"
"""W&B's x-axis: optimizer steps done."""

INIT_TIMEOUT_S = 20.0
FINISH_TIMEOUT_S = 20.0
CLOSE_TIMEOUT_S = 45.0
"""Longest that `close` waits: a slow start whose rows are still queued, and finishing."""

_LAST_JOIN_S = 5.0
_WAITING_ROWS = 10_000
"""Rows that may wait for W&B, some 10 MB; further ones are left out there."""


class WandbMirror:
    """One attempt's part of the run's one W&B run. Starts at once, in the background.

    Args:
        run: all files lie in its `wandb` folder, and the run's W&B id as well.
        config: shown in W&B, without secrets.
        plan: shown in W&B.
        attempt: of this start.
        note: says a line to people.
        on_stop: called when somebody presses W&B's stop button (wandb's own answer would be to
            interrupt the main thread).
    """

    def __init__(
        self,
        run: RunDir,
        config: RunConfig,
        plan: Plan,
        *,
        attempt: int,
        note: Callable[[str], None],
        on_stop: Callable[[], None],
    ) -> None:
        self._run = run
        self._tracking = config.tracking
        self._shown = {**asdict(config), "plan": asdict(plan), "attempt": attempt}
        self._note = note
        self._on_stop = on_stop
        self._rows: queue.Queue[dict[str, Any] | int] = queue.Queue(_WAITING_ROWS)
        self._left_out = 0
        self._preempting = False
        self._left_behind = False
        self._thread = threading.Thread(target=self._work, name="wandb", daemon=True)
        self._thread.start()

    def log(self, row: Mapping[str, Any]) -> None:
        """Hand over a row with its `step`; returns at once."""
        shown = {name: value for name, value in row.items() if name not in ("step", "time")}
        try:
            self._rows.put_nowait({GLOBAL_STEP: row["step"], **shown})
        except queue.Full:
            self._left_out += 1

    def close(self, outcome: Literal["finished", "requeue", "failed"]) -> None:
        """Finish W&B's run, waiting `CLOSE_TIMEOUT_S` at the most."""
        self._preempting = outcome == "requeue"
        with suppress(queue.Full):
            self._rows.put(1 if outcome == "failed" else 0, timeout=1.0)
            self._thread.join(CLOSE_TIMEOUT_S)
        if self._thread.is_alive():
            self._left_behind = True
            self._note(f"W&B did not finish within {CLOSE_TIMEOUT_S:.0f} s and is left behind.")
            # Else wandb would wait for it when the interpreter ends, for ever if it hangs.
            _kill_wandb_core()
            self._thread.join(_LAST_JOIN_S)
        elif self._left_out:
            self._note(f"W&B lacks {self._left_out} rows that came faster than it takes them.")

    def _work(self) -> None:
        """The thread: everything that wandb does."""
        try:
            self._mirror()
        except Exception as error:  # noqa: BLE001 - a mirror's failure, of whatever kind, is told
            if not self._left_behind:
                self._note(
                    f"W&B stopped ({_one_line(error)}); training goes on, "
                    f"{self._run.metrics.name} has every row."
                )
            with suppress(Exception):
                # Takes wandb's hook off the interpreter's end, where it would raise or wait.
                sys.modules["wandb"].teardown()
            while not (self._left_behind or isinstance(self._rows.get(), int)):
                pass  # Nobody takes the rows any more: keep the queue from filling up.

    def _mirror(self) -> None:
        # W&B's telemetry of its own errors would tell a third party about this host.
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        import wandb

        wandb_run = self._start(wandb)
        wandb_run.define_metric(GLOBAL_STEP)
        wandb_run.define_metric("*", step_metric=GLOBAL_STEP)
        while not isinstance(row := self._rows.get(), int):
            wandb_run.log(row)
        if self._preempting:
            wandb_run.mark_preempting()
        wandb_run.finish(exit_code=row)
        wandb.teardown(exit_code=row)

    def _start(self, wandb: Any) -> Any:
        mode = self._tracking.wandb
        try:
            wandb_run = self._init(wandb, mode)
        except Exception as error:  # unreachable, refused, timed out: all the same
            if mode == "offline":
                raise
            self._note(f"W&B cannot be reached ({_one_line(error)}); it goes on offline.")
            mode = "offline"
            wandb.teardown()  # or wandb-core would go on holding the run's id
            wandb_run = self._init(wandb, mode)
        if mode == "offline":
            folder = Path(wandb_run.dir).parent
            self._note(f"W&B is offline; to send it later: wandb sync {folder}")
        else:
            self._note(f"W&B: {wandb_run.url}")
        return wandb_run

    def _init(self, wandb: Any, mode: str) -> Any:
        return wandb.init(
            mode=mode,
            id=wandb_id(self._run),
            resume="allow",
            name=self._run.name,
            project=self._tracking.project,
            entity=self._tracking.entity,
            tags=self._tracking.tags,
            config=redacted(self._shown, environment=os.environ),
            dir=str(self._run.wandb.parent),  # wandb adds its own folder, called wandb
            settings=wandb.Settings(
                silent=True,
                host="hidden",  # x_disable_machine_info leaves the host's name in
                console="off",
                init_timeout=INIT_TIMEOUT_S,
                finish_timeout=FINISH_TIMEOUT_S,
                finish_timeout_raises=False,
                x_transaction_log_flush_interval=1,
                x_file_stream_transmit_interval=5,
                x_disable_meta=True,
                x_disable_machine_info=True,
                x_disable_stats=True,
                x_save_requirements=False,
                disable_git=True,
                disable_code=True,
                save_code=False,
                stop_fn=self._on_stop,
            ),
        )


def wandb_id(run: RunDir) -> str:
    """The run's W&B id: made once, kept in the run directory, the same for every attempt."""
    kept = run.wandb / "run-id"
    if not kept.exists():
        # With the time, since a run of the same name may have been here before and be in W&B.
        text = f"{run.root.resolve()} {time.time_ns()}"
        run.wandb.mkdir(parents=True, exist_ok=True)
        write_whole(kept, hashlib.sha256(text.encode()).hexdigest()[:16])
    return kept.read_text().strip()


def _kill_wandb_core() -> None:
    """Kill this process's wandb-core."""
    for children in Path("/proc/self/task").glob("*/children"):
        for child in _words(children):
            if _words(Path("/proc") / child / "comm") == ["wandb-core"]:
                os.kill(int(child), signal.SIGKILL)


def _one_line(error: Exception) -> str:
    first_line = (str(error).splitlines() or [""])[0]
    return f"{type(error).__name__}: {first_line}"


def _words(path: Path) -> list[str]:
    """Words of a file under /proc; none where its process has gone."""
    try:
        return path.read_text().split()
    except OSError:
        return []
