"""One run, for notebooks and scripts."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftdist_launch.attempts import Finished
from ftdist_launch.confirmation import Confirmation
from ftdist_launch.run_config import read_config
from ftdist_launch.setup.run_setup import read_plan
from ftdist_launch.slurm.client import Queue
from ftdist_launch.status import RunStatus, read_status

from ftdist.api.evaluate import evaluate_run
from ftdist.api.export import export_run
from ftdist.api.jobs import Submitted
from ftdist.api.overrides import as_overrides
from ftdist.api.progress import Output
from ftdist.api.resume import resume_run
from ftdist.api.tables import answers_table, metrics_table, scores_table
from ftdist.config.schema import RunConfig
from ftdist.errors import FtdistError
from ftdist.plan.plan import Plan
from ftdist.rundir import RUNS_ROOT, RunDir, find_run

if TYPE_CHECKING:
    from pandas import DataFrame

Overrides = str | Mapping[str, Any]
"""`"key=value"`, or a dict of values."""


@dataclass(frozen=True, init=False)
class Run:
    """A run: its state, records and results. Nothing is cached; every call reads the disk.

    Args:
        name: of the run, or the path of its directory.
        root: folder of the runs.

    Raises:
        ConfigError: there is no such run.
    """

    directory: RunDir

    def __init__(self, name: str | Path, *, root: str | Path = RUNS_ROOT) -> None:
        object.__setattr__(
            self, "directory", find_run(str(name), runs_root=Path(root), only_reads=True)
        )

    @property
    def name(self) -> str:
        """Name of the run."""
        return self.directory.name

    @property
    def path(self) -> Path:
        """The run directory."""
        return self.directory.root

    def config(self) -> RunConfig:
        """The config that the run was made with."""
        return read_config(self.directory)

    def plan(self) -> Plan:
        """Steps, tokens, memory and disk.

        Raises:
            StorageError: the library is not prepared yet, or the plan is damaged.
        """
        return read_plan(self.directory)

    def status(self) -> RunStatus:
        """State, step, loss, jobs and attempts; SLURM is asked if the run has jobs."""
        return read_status(self.directory, queue=Queue())

    def wait(self, *, poll_s: float = 15.0) -> RunStatus:
        """Wait until a submitted run is over, with its export and comparison if they are queued.

        One that was never started, or that is lost, counts as over after a minute.

        Args:
            poll_s: seconds between looks at its records and at SLURM.

        Returns:
            Its last status; look at `state`, such as `done` or `failed`.
        """
        confirmation = Confirmation()
        while not confirmation.is_over(status := self.status()):
            time.sleep(poll_s)
        return status

    def metrics(self) -> "DataFrame":
        """A row per step: losses, learning rate, throughput, evaluations (docs: metrics)."""
        return metrics_table(self.directory)

    def scores(self) -> "DataFrame":
        """A row per score of the last comparison: base, tuned, difference, interval, verdict.

        Raises:
            ConfigError: the run was not compared.
        """
        return scores_table(self.directory)

    def answers(self) -> "DataFrame":
        """A row per question of the last comparison, with the answers of both models.

        Raises:
            ConfigError: the run was not compared.
        """
        return answers_table(self.directory)

    def resume(self, *overrides: Overrides, quiet: bool = False) -> "Run":
        """Resume training from the newest checkpoint; on a cluster as a job.

        Args:
            *overrides: keys that may change, such as "cluster.tasks_per_node=4".
            quiet: show no progress.

        Raises:
            FtdistError: it cannot be resumed, or it failed.
        """
        out = Output(quiet=quiet)
        words = as_overrides(*overrides)
        ended = resume_run(self.directory, words, supervise=out.supervise, log=out.log)
        if isinstance(ended, Finished):
            raise_unless_done(ended, run=self.directory)
        return self

    def export(self, *overrides: Overrides, quiet: bool = False) -> Path:
        """Write the tuned model as a Hugging Face folder; on a cluster as a job.

        Args:
            *overrides: keys of `export` and `cluster`.
            quiet: show no progress.

        Returns:
            The folder; a job has yet to write it.

        Raises:
            FtdistError: there is no checkpoint, or the export failed.
        """
        out = Output(quiet=quiet)
        words = as_overrides(*overrides)
        ended = export_run(self.directory, words, supervise=out.supervise, log=out.log)
        if isinstance(ended, Submitted):
            out.log(f"Job {ended.job} exports run {self.name}.")
        else:
            raise_unless_done(ended, run=self.directory)
        return self.directory.export

    def compare(self, *overrides: Overrides, quiet: bool = False) -> "DataFrame | None":
        """Ask the base and the exported model the same questions; on a cluster as a job.

        Args:
            *overrides: keys of `eval` and `cluster`.
            quiet: show no progress.

        Returns:
            `scores()`; None for a job, which has yet to measure them.

        Raises:
            FtdistError: there is no export, or the comparison failed.
        """
        out = Output(quiet=quiet)
        words = as_overrides(*overrides)
        ended = evaluate_run(
            self.directory, words, stage="compare", supervise=out.supervise, log=out.log
        )
        if isinstance(ended, Submitted):
            out.log(f"Job {ended.job} compares run {self.name} with its base.")
            return None
        raise_unless_done(ended, run=self.directory)
        return self.scores()


def raise_unless_done(finished: Finished, *, run: RunDir) -> None:
    """Raise the failure of a training, an export or a comparison.

    Raises:
        KeyboardInterrupt: the user stopped it; it can be resumed.
        FtdistError: it failed.
    """
    if finished.outcome == "done":
        return
    if finished.outcome == "stopped":
        raise KeyboardInterrupt(f"Run {run.name} was stopped; resume() continues a training.")
    failure = finished.failure
    if failure is None:
        raise FtdistError(
            f"No rank of run {run.name} reported an error.",
            remedy=f"read the logs in {run.jobs}.",
        )
    raise FtdistError(failure.problem, remedy=failure.remedy)
