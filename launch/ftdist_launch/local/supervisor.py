"""Run attempts on this machine until the run is done or given up; and single-process stages."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ftdist.checkpoint.store import CheckpointStore
from ftdist.checkpoint.vanished import refuse_vanished
from ftdist.config.schema import RunConfig
from ftdist.errors import FtdistError
from ftdist.io.filesystem import storage_error
from ftdist.io.progress import LogFn
from ftdist.plan.plan import Plan
from ftdist.rundir import RunDir
from ftdist_launch import entrypoints
from ftdist_launch.after_attempt import after_attempt
from ftdist_launch.attempt_end import CANCELLED, describe_loss, stop_request
from ftdist_launch.attempts import (
    Finished,
    JobExit,
    finish_attempt,
    newest_step,
    record_request,
    start_attempt,
)
from ftdist_launch.local.leftover_ranks import STAGE_TIMEOUT_S, refuse_leftover_ranks
from ftdist_launch.local.monitor import counted_interrupts, follow
from ftdist_launch.local.submit import private_umask, submit_local
from ftdist_launch.lock import run_lock
from ftdist_launch.lost_attempts import record_lost_attempt
from ftdist_launch.rank_failures import RankFailure, never_started
from ftdist_launch.restart_policy import decide
from ftdist_launch.slurm.run_jobs import refuse_queued
from ftdist_launch.stage_records import record_stage_end, start_stage


class ProgressView(Protocol):
    """Shows the progress of a job."""

    def update(self) -> None:
        """Show what is new; called several times per second."""

    def close(self) -> None:
        """Show the rest and restore the terminal."""


ProgressViewFactory = Callable[[Path], ProgressView]
"""Makes a view from the path of the log of rank 0."""


@dataclass(frozen=True, kw_only=True)
class Supervisor:
    """Starts the jobs of one run, one at a time, and monitors them."""

    run: RunDir
    config: RunConfig
    make_view: ProgressViewFactory
    log: LogFn
    jobs: Any = entrypoints
    """Has, for each stage, the function that its ranks call."""

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold the lock of the run.

        Raises:
            ConfigError: another process or a cluster works on it, or ranks of an earlier attempt
                are still running.
        """
        private = self.config.run.private
        with private_umask(private=private), run_lock(self.run, log=self.log):
            refuse_leftover_ranks(self.run)
            refuse_queued(self.run)
            if (lost := record_lost_attempt(self.run)) is not None:
                self.log(lost)
            yield

    def train(self, plan: Plan, *, requested_by: str) -> Finished:
        """Start attempts until the run is done, stopped or given up. Call it within `exclusive`.

        Args:
            plan: of the config in the run directory.
            requested_by: "train" or "resume".

        Raises:
            StorageError: checkpoints that were committed have vanished.
        """
        run, limit = self.run, self.config.cluster.max_attempts_without_progress
        record_request(run, by=requested_by)
        with counted_interrupts() as interrupts:
            while True:
                number = start_attempt(run, self.config, plan)
                job_exit = self._run_job(
                    "train",
                    folder=run.attempt(number),
                    ranks=plan.world_size,
                    interrupts=interrupts,
                    attempt=number,
                )
                stop_signal = interrupts[0] if interrupts else None
                finished = finish_attempt(
                    run, number, job_exit, stop_signal=stop_signal, limit=limit
                )
                after_attempt(run, self.config, finished)
                if finished.outcome != "requeue":
                    return finished
                with recorded_refusal(run):
                    refuse_vanished(run)
                self.log(_restart_message(finished, number=number))

    def once(self, stage: str) -> Finished:
        """Run a single-process stage once. Call it within `exclusive`."""
        folder = start_stage(self.run, stage)
        self.run.append_event("stage_started", stage=stage)
        with counted_interrupts() as interrupts:
            job_exit = self._run_job(stage, folder=folder, ranks=1, interrupts=interrupts)
            end = job_exit.as_attempt(
                stop_signal=interrupts[0] if interrupts else None,
                on_request=stop_request(self.run, stage) is not None,
                progressed=False,
            )
        decision = decide(end, attempts_without_progress=0, max_attempts_without_progress=1)
        given_up = decision.outcome == "crash_loop"
        finished = Finished(
            outcome="failed" if given_up else decision.outcome,
            exit_code=_code(job_exit.failure) if given_up else decision.exit_code,
            failure=job_exit.failure,
            step=newest_step(self.run),
        )
        _record_end(self.run, stage, finished)
        return finished

    def _run_job(
        self,
        stage: str,
        *,
        folder: Path,
        ranks: int,
        interrupts: Sequence[int],
        attempt: int | None = None,
    ) -> JobExit:
        try:
            job = submit_local(
                getattr(self.jobs, stage),
                run=self.run,
                stage=stage,
                ranks=ranks,
                attempt=attempt,
                config=self.config,
            )
        except OSError as error:
            problem = storage_error(error, action="start the ranks in", path=self.run.jobs)
            return JobExit(exit_codes=(), failure=never_started(problem), out_of_memory=False)
        view = self.make_view(job.task(0).paths.stdout)
        try:
            return follow(
                job,
                folder=folder,
                interrupts=interrupts,
                tick=view.update,
                log=self.log,
                timeout_s=STAGE_TIMEOUT_S if attempt is None else math.inf,
            )
        finally:
            with suppress(OSError):
                view.close()


def _code(failure: RankFailure | None) -> int:
    """Exit code of a stage that failed, and is not started again."""
    return (
        FtdistError.exit_code if failure is None else max(failure.exit_code, FtdistError.exit_code)
    )


@contextmanager
def recorded_refusal(run: RunDir) -> Iterator[None]:
    """Record an error of the body as the end of training: no attempt starts that could."""
    try:
        yield
    except FtdistError as error:
        run.record_event(
            "stage_finished",
            stage="train",
            exit_code=error.exit_code,
            cause=error.problem,
            remedy=error.remedy,
        )
        raise


def refuse_all_damaged(run: RunDir) -> None:
    """Refuse to work on a run whose checkpoints are all corrupt.

    Raises:
        StorageError: the run had checkpoints, and none is left.
    """
    store = CheckpointStore(run.checkpoints, keep=1)
    if not store.committed():
        store.latest_verified(lambda path, why: None)  # noqa: ARG005 - there is none


def exported_step(run: RunDir) -> int | None:
    """Step of the newest export, or None."""
    steps = [e["step"] for e in run.read_events() if e.get("event") == "model_exported"]
    return steps[-1] if steps else None


def unchecked_export(run: RunDir) -> str | None:
    """Why the newest export could not be compared with the trained model, if so."""
    exports = [e for e in run.read_events() if e.get("event") == "model_exported"]
    return exports[-1].get("unchecked") if exports else None


def damages(run: RunDir) -> list[str]:
    """The problem of every checkpoint that was set aside as corrupt, oldest first."""
    return [e["problem"] for e in run.read_events() if e.get("event") == "checkpoint_corrupt"]


def _record_end(run: RunDir, stage: str, finished: Finished) -> None:
    """Record how a single-process stage on this machine ended."""
    stopped, failure = finished.outcome == "stopped", finished.failure
    on_request = stop_request(run, stage) is not None
    problem = None if failure is None else failure.problem
    interrupted = CANCELLED if on_request else "It was interrupted."
    record_stage_end(
        run,
        stage,
        outcome=finished.outcome,
        exit_code=finished.exit_code,
        cause=interrupted if stopped else problem,
        remedy=None if stopped or failure is None else failure.remedy,
    )


def _restart_message(finished: Finished, *, number: int) -> str:
    where = "from the start" if finished.step is None else f"from step {finished.step}"
    lost = describe_loss(finished.steps_lost).capitalize()
    return (
        f"Attempt {number} ended: {finished.cause} {lost}. Starting attempt {number + 1} {where}."
    )
