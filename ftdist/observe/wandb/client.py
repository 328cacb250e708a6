"""The only place that imports wandb: one part of a run, opened, fed and finished.

Every call may wait or raise. Found by trying wandb 0.31: wandb-core may die with a signal meant for
the job, and `log` raises from then on; `finish` waits for ever by default; rows reach the file only
every 15 s by default; `log(step=)` drops rows after a resume. So the x-axis is a metric of our own,
and `step=` is never passed.

Privacy: no argv, host facts, git remote, packages, printed text or code leave the process, and
nothing in the config that looks like a secret. Keys come from the environment or netrc.
"""

import os
import signal
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from ftdist.config.schema import TrackingConfig
from ftdist.observe.metrics import STEP, TIME, Row
from ftdist.observe.wandb.api import GLOBAL_STEP
from ftdist.observe.wandb.comparison_table import ANSWERS, COLUMNS, DIGEST, PREFIX, Comparison
from ftdist.observe.wandb.run_config import sweep_name
from ftdist.observe.wandb.state import wandb_id
from ftdist.rundir import RunDir

INIT_TIMEOUT_S = 20.0
SEND_EVERY_S = 5
"""Between two requests that bring rows to the server; of a part of a second wandb makes its 15."""


class WandbClient:
    """One part of the run's one W&B run: an attempt's, or what `ftdist sync` sends at once.

    Args:
        run: its name and its W&B id.
        tracking: project, entity and tags.
        shown: the config in W&B.
        mode: whether a server is told, or files alone.
        folder: where wandb makes a folder of its own, called `wandb`.
        finish_timeout_s: longest that `finish`, or a table, waits for the server.
        on_stop: called when somebody presses W&B's stop button (wandb's own answer would be to
            interrupt the main thread).
    """

    def __init__(
        self,
        run: RunDir,
        tracking: TrackingConfig,
        *,
        shown: Mapping[str, Any],
        mode: Literal["online", "offline"],
        folder: Path,
        finish_timeout_s: float,
        on_stop: Callable[[], None],
    ) -> None:
        # W&B's telemetry of its own errors would tell a third party about this host.
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        os.environ.setdefault("WANDB_SILENT", "true")
        import wandb

        self._wandb = wandb
        self._finish_timeout_s = finish_timeout_s
        self._run = wandb.init(
            mode=mode,
            id=wandb_id(run),
            resume="allow",
            name=run.name,
            group=sweep_name(run),
            project=tracking.project,
            entity=tracking.entity,
            tags=tracking.tags,
            config=dict(shown),
            dir=str(folder),
            settings=wandb.Settings(
                silent=True,
                host="hidden",  # x_disable_machine_info leaves the host's name in
                console="off",
                init_timeout=INIT_TIMEOUT_S,
                finish_timeout=finish_timeout_s,
                finish_timeout_raises=True,
                x_transaction_log_flush_interval=1,
                x_file_stream_transmit_interval=SEND_EVERY_S,
                x_disable_meta=True,
                x_disable_machine_info=True,
                x_disable_stats=True,
                x_save_requirements=False,
                disable_git=True,
                disable_code=True,
                save_code=False,
                stop_fn=on_stop,
            ),
        )
        self._run.define_metric(GLOBAL_STEP)
        self._run.define_metric("*", step_metric=GLOBAL_STEP)

    @property
    def url(self) -> str | None:
        """The run's page; None where no server was told."""
        return self._run.url or None

    def log(self, row: Row) -> None:
        """Hand over one step."""
        values = {name: value for name, value in row.items() if name not in (STEP.name, TIME.name)}
        if TIME.name in row:
            values["_timestamp"] = row[TIME.name]  # W&B's own name: else the time of sending
        self._run.log({GLOBAL_STEP: row[STEP.name], **values})

    def show(self, comparison: Comparison) -> None:
        """Put a comparison in place of the one that the run's page shows.

        In the run's summary, which needs no row: rows are steps.

        Raises:
            wandb.errors.Error: the server did not take the table in time.
            ValueError: it refuses the table.
        """
        summary = self._run.summary
        kept = {*comparison.values, DIGEST}
        if comparison.answers is not None:
            kept.add(ANSWERS)
            self.show_table(ANSWERS, comparison.answers, columns=COLUMNS)
        for name in summary.keys():  # noqa: SIM118 - wandb's summary cannot be iterated
            if name.startswith(PREFIX) and name not in kept:
                del summary[name]
        summary.update({**comparison.values, DIGEST: comparison.digest})

    def show_table(
        self, name: str, rows: Collection[Iterable[object]], *, columns: Sequence[str]
    ) -> None:
        """Put a table in place of the one that the run's summary has under its name.

        Without rows there is none any more.

        Raises:
            wandb.errors.Error: the server did not take it in time.
            ValueError: it refuses it.
        """
        if not rows:
            if name in self._run.summary.keys():  # noqa: SIM118 - it cannot be iterated
                del self._run.summary[name]
            return
        table = self._wandb.Table(columns=list(columns), data=[list(row) for row in rows])
        self._run.summary[name] = table
        # Its upload fails in silence unless somebody waits for it; then it counts as not sent.
        table._artifact_target.artifact.wait(timeout=round(self._finish_timeout_s))

    def finish(self, *, exit_code: int, preempting: bool) -> None:
        """End this part of the run.

        Args:
            exit_code: as W&B shows it.
            preempting: whether the run will go on.

        Raises:
            TimeoutError: the server did not take all of it in time.
        """
        if preempting:
            self._run.mark_preempting()
        try:
            self._run.finish(exit_code=exit_code)
        finally:
            with suppress(SystemExit):  # its answer to a wandb-core that was killed
                self._wandb.teardown(exit_code=exit_code)


def close_remains() -> None:
    """Take wandb's hook off the interpreter's end, where it would raise or wait.

    It also makes wandb-core let go of the run, so that a new client can be made.
    """
    wandb = sys.modules.get("wandb")
    if wandb is not None:
        with suppress(Exception, SystemExit):  # the latter where wandb-core was killed
            wandb.teardown()


def kill_wandb_core() -> None:
    """Kill this process's wandb-core, which a hanging server may keep for ever."""
    for children in Path("/proc/self/task").glob("*/children"):
        for child in _words(children):
            if _words(Path("/proc") / child / "comm") == ["wandb-core"]:
                with suppress(ProcessLookupError):
                    os.kill(int(child), signal.SIGKILL)


def _words(path: Path) -> list[str]:
    """Words of a file under /proc; none where its process has gone."""
    try:
        return path.read_text().split()
    except OSError:
        return []
