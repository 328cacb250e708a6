"""The only module that imports wandb: open a run, log rows, finish it.

Every call may block or raise. Observed with wandb 0.31: wandb-core may be killed by a signal meant
for the job, after which `log` raises; `finish` blocks without limit by default; rows reach the file
only every 15 s by default; `log(step=)` drops rows after a resume. So the x-axis is our own metric
and `step=` is never passed.

Privacy: argv, host facts, the git remote, packages, console output and code are never uploaded, nor
anything in the config that looks like a secret. Keys come from the environment or netrc.
"""

import logging
import os
import sys
import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import psutil

from ftdist.config.schema import TrackingConfig
from ftdist.observe.metrics import LEARNING_SECTIONS, SECTIONS, STEP, TIME, TOTAL_TOKENS, Row
from ftdist.observe.wandb.api import GLOBAL_STEP
from ftdist.observe.wandb.artifacts import RunArtifact
from ftdist.observe.wandb.comparison_table import ANSWERS, COLUMNS, DIGEST, PREFIX, Comparison
from ftdist.observe.wandb.run_config import run_labels
from ftdist.observe.wandb.state import are_new_labels, wandb_id, write_labels
from ftdist.rundir import RunDir

INIT_TIMEOUT_S = 20.0
SEND_EVERY_S = 5
"""Interval of uploads; wandb replaces values below a second by 15 s."""


class WandbClient:
    """One session of the run's W&B run: an attempt, or one `ftdist sync`.

    Args:
        run: its name and its W&B id.
        tracking: project, entity and tags.
        shown: the config in W&B.
        mode: online uploads; offline only writes files.
        folder: where wandb creates its own folder, called `wandb`.
        finish_timeout_s: longest that `finish`, or a table, waits for the server.
        on_stop: called when somebody presses W&B's stop button (by default wandb would
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
        on_stop: Callable[[], object],
    ) -> None:
        # W&B's error telemetry would send facts about this host to a third party.
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        os.environ.setdefault("WANDB_SILENT", "true")
        import wandb

        # Its debug.log may be on a full disk: no traceback for each line that it cannot take.
        logging.raiseExceptions = False

        self._wandb = wandb
        self._finish_timeout_s = finish_timeout_s
        labels = run_labels(run, tracking, environment=os.environ)
        is_new = mode == "offline" or are_new_labels(run, labels)
        self._run = wandb.init(
            mode=mode,
            id=wandb_id(run),
            resume="allow",
            project=tracking.project,
            entity=tracking.entity,
            config=dict(shown),
            **(labels if is_new else {}),
            dir=str(folder),
            settings=self._settings(on_stop),
        )
        if mode == "online":
            write_labels(run, labels)
        self._define_axes(by_tokens=tracking.axis == "tokens")

    def _settings(self, on_stop: Callable[[], object]) -> Any:
        """Time-outs, and nothing uploaded about the host, its output or the code."""
        return self._wandb.Settings(
            silent=True,
            host="hidden",  # x_disable_machine_info leaves the host's name in
            console="off",
            init_timeout=INIT_TIMEOUT_S,
            finish_timeout=self._finish_timeout_s,
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
        )

    def _define_axes(self, *, by_tokens: bool) -> None:
        """Choose the x-axis of each section; any chart can be switched to the other one."""
        self._run.define_metric(GLOBAL_STEP)
        self._run.define_metric(TOTAL_TOKENS.name, step_metric=GLOBAL_STEP)
        for section in SECTIONS:
            is_curve = by_tokens and section in LEARNING_SECTIONS
            axis = TOTAL_TOKENS.name if is_curve else GLOBAL_STEP
            self._run.define_metric(f"{section}/*", step_metric=axis)

    @property
    def url(self) -> str | None:
        """URL of the run's page; None offline."""
        return self._run.url or None

    def log(self, row: Row) -> None:
        """Log one step."""
        values = {name: value for name, value in row.items() if name not in (STEP.name, TIME.name)}
        if TIME.name in row:
            values["_timestamp"] = row[TIME.name]  # W&B's name; the default is the time of upload
        self._run.log({GLOBAL_STEP: row[STEP.name], **values})

    def log_comparison(self, comparison: Comparison) -> None:
        """Replace the comparison in the run's summary (rows are steps, so it is no row).

        Raises:
            wandb.errors.Error: the server did not accept the table in time.
            ValueError: the server rejects the table.
        """
        summary = self._run.summary
        current = {*comparison.values, DIGEST}
        if comparison.answers is not None:
            current.add(ANSWERS)
            self.log_table(ANSWERS, comparison.answers, columns=COLUMNS)
        for name in summary.keys():  # noqa: SIM118 - wandb's summary is not iterable
            if name.startswith(PREFIX) and name not in current:
                del summary[name]
        summary.update({**comparison.values, DIGEST: comparison.digest})

    def log_table(
        self, name: str, rows: Collection[Iterable[object]], *, columns: Sequence[str]
    ) -> None:
        """Replace the table of this name in the run's summary; no rows: remove it.

        Raises:
            wandb.errors.Error: the server did not accept it in time.
            ValueError: the server rejects it.
        """
        if not rows:
            if name in self._run.summary.keys():  # noqa: SIM118 - not iterable
                del self._run.summary[name]
            return
        table = self._wandb.Table(columns=list(columns), data=[list(row) for row in rows])
        self._run.summary[name] = table
        # A failed upload is only reported if somebody waits for it.
        table._artifact_target.artifact.wait(timeout=round(self._finish_timeout_s))

    def log_artifact(self, artifact: RunArtifact, *, upload: bool, timeout_s: float) -> None:
        """Log a folder as an artifact: a dataset as an input of the run, a model as its output.

        Args:
            artifact: the folder.
            upload: whether to upload its files, not only their names, sizes, hashes and paths.
            timeout_s: longest wait for the server.

        Raises:
            wandb.errors.Error: the server did not accept it in time.
            ValueError: the server rejects it.
        """
        made = self._wandb.Artifact(
            artifact.name, type=artifact.type, metadata=dict(artifact.metadata)
        )
        if upload:  # from where the files are: without copies in wandb's folders
            made.add_dir(str(artifact.folder), policy="immutable", skip_cache=True)
        else:
            made.add_reference(artifact.folder.resolve().as_uri(), max_objects=artifact.files + 1)
        # `use_artifact` waits without limit; it raises once wandb-core is gone.
        limit = threading.Timer(timeout_s, kill_wandb_core)
        limit.start()
        try:
            if artifact.type == "dataset":
                self._run.use_artifact(made)
            else:
                self._run.log_artifact(made).wait(timeout=round(timeout_s))
        finally:
            limit.cancel()

    def finish(self, *, exit_code: int, preempting: bool) -> None:
        """End this session.

        Args:
            exit_code: shown in W&B.
            preempting: whether the run will be resumed.

        Raises:
            TimeoutError: the server did not accept everything in time.
        """
        if preempting:
            self._run.mark_preempting()
        try:
            self._run.finish(exit_code=exit_code)
        finally:
            with suppress(SystemExit):  # raised if wandb-core was killed
                self._wandb.teardown(exit_code=exit_code)


def teardown() -> None:
    """Remove wandb's exit hook, which would raise or block, and free the run for a new client."""
    wandb = sys.modules.get("wandb")
    if wandb is not None:
        with suppress(Exception, SystemExit):  # SystemExit if wandb-core was killed
            wandb.teardown()


def kill_wandb_core() -> None:
    """Kill this process's wandb-core, which may otherwise wait for a hanging server forever."""
    with suppress(psutil.Error):
        for child in psutil.Process().children():
            with suppress(psutil.Error):
                if child.name() == "wandb-core":
                    child.kill()
