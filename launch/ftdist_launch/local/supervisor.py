"""Run attempts on this machine until the run is done or given up; and single-process stages."""

import json
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ftdist import __version__
from ftdist.checkpoint.store import CheckpointStore
from ftdist.config.schema import RunConfig
from ftdist.errors import FtdistError
from ftdist.io.jsonl import write_whole
from ftdist.io.progress import LogFn
from ftdist.plan.plan import Plan
from ftdist.rundir import RunDir
from ftdist_launch import entrypoints as jobs
from ftdist_launch.attempts import JobExit, finish_attempt, newest_step, start_attempt
from ftdist_launch.code_snapshot import git_state
from ftdist_launch.local.leftover_ranks import SINGLE_STAGES, refuse_leftover_ranks
from ftdist_launch.local.monitor import (
    SAVING,
    InterruptCount,
    abandon,
    follow,
)
from ftdist_launch.local.submit import CHECKOUT, private_umask, submit_local
from ftdist_launch.lock import run_lock
from ftdist_launch.rank_failures import RankFailure
from ftdist_launch.restart_policy import Outcome, decide
from ftdist_launch.slurm.run_jobs import refuse_queued


class ProgressView(Protocol):
    """Shows the progress of a job."""

    def update(self) -> None:
        """Show what is new; called several times per second."""

    def close(self) -> None:
        """Show the rest and restore the terminal."""


ProgressViewFactory = Callable[[Path], ProgressView]
"""Makes a view from the path of the log of rank 0."""


class _NoProgressView:
    """Shows nothing: the terminal is closed."""

    def update(self) -> None:
        return

    def close(self) -> None:
        return


@dataclass(frozen=True, kw_only=True)
class Finished:
    """How the work on a run ended."""

    outcome: Outcome
    exit_code: int
    failure: RankFailure | None
    step: int | None
    """Of the newest checkpoint."""

    num_stalled_attempts: int = 0


@dataclass(frozen=True, kw_only=True)
class Supervisor:
    """Starts the jobs of one run, one at a time, and monitors them."""

    run: RunDir
    config: RunConfig
    make_view: ProgressViewFactory
    log: LogFn
    callables: Mapping[str, Callable[[str], None]]
    """Entry points of ranks by stage."""

    @classmethod
    def for_run(
        cls, run: RunDir, config: RunConfig, *, make_view: ProgressViewFactory, log: LogFn
    ) -> "Supervisor":
        """A supervisor for the entry points of `ftdist_launch.entrypoints`."""
        callables = {
            "train": jobs.train,
            "export": jobs.export,
            "compare": jobs.compare,
            "merge": jobs.merge,
        }
        return cls(run=run, config=config, make_view=make_view, log=log, callables=callables)

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
            yield

    def train(self, plan: Plan, *, requested_by: str) -> Finished:
        """Start attempts until the run is done, stopped or given up. Call it within `exclusive`.

        Args:
            plan: of the config in the run directory.
            requested_by: "train" or "resume".
        """
        run, limit = self.run, self.config.cluster.max_attempts_without_progress
        run.append_event(
            "run_requested", by=requested_by, version=__version__, git=git_state(CHECKOUT)
        )
        with InterruptCount.listening() as interrupts:
            while True:
                number = start_attempt(run, self.config, plan)
                job_exit = self._run_job(
                    "train",
                    folder=run.attempt(number),
                    ranks=plan.world_size,
                    interrupts=interrupts,
                    attempt=number,
                )
                stop_signal = interrupts.first
                if stop_signal is None and run.was_cancelled():
                    stop_signal = signal.SIGINT
                verdict = finish_attempt(
                    run, number, job_exit, stop_signal=stop_signal, limit=limit
                )
                decision = verdict.decision
                if decision.outcome == "requeue" and stop_signal is None:
                    self.log(_restart_message(job_exit, number=number, step=verdict.step))
                    continue
                return Finished(
                    outcome=decision.outcome,
                    exit_code=decision.exit_code,
                    failure=job_exit.failure,
                    step=verdict.step,
                    num_stalled_attempts=verdict.num_stalled_attempts,
                )

    def once(self, stage: str) -> Finished:
        """Run a single-process stage once. Call it within `exclusive`."""
        folder = self.run.attempts / stage
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.glob("rank-*.json"):
            path.unlink()
        with InterruptCount.listening() as interrupts:
            job_exit = self._run_job(stage, folder=folder, ranks=1, interrupts=interrupts)
            decision = decide(
                job_exit.as_attempt(stop_signal=interrupts.first, progressed=False),
                attempts_without_progress=0,
                max_attempts_without_progress=1,
            )
        given_up = decision.outcome == "crash_loop"
        return Finished(
            outcome="failed" if given_up else decision.outcome,
            exit_code=FtdistError.exit_code if given_up else decision.exit_code,
            failure=job_exit.failure,
            step=newest_step(self.run),
        )

    def _run_job(
        self,
        stage: str,
        *,
        folder: Path,
        ranks: int,
        interrupts: InterruptCount,
        attempt: int | None = None,
    ) -> JobExit:
        policy = SINGLE_STAGES.get(stage, SAVING)
        job = submit_local(
            self.callables[stage],
            run=self.run,
            stage=stage,
            ranks=ranks,
            attempt=attempt,
            cluster=self.config.cluster,
            private=self.config.run.private,
        )
        view: ProgressView
        try:
            view = self.make_view(job.log(0))
        except OSError:
            view = _NoProgressView()  # the job continues without a terminal
        except BaseException:
            abandon(job, folder=folder, policy=policy)
            raise
        try:
            return follow(
                job,
                folder=folder,
                interrupts=interrupts,
                tick=view.update,
                log=self.log,
                policy=policy,
            )
        finally:
            with suppress(OSError):
                view.close()


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


def damages(run: RunDir) -> list[str]:
    """The problem of every checkpoint that was set aside as corrupt, oldest first."""
    return [e["problem"] for e in run.read_events() if e.get("event") == "checkpoint_corrupt"]


def _restart_message(job_exit: JobExit, *, number: int, step: int | None) -> str:
    failure = job_exit.failure
    cause = "it stopped on request" if failure is None else failure.problem.rstrip(".")
    where = "from the start" if step is None else f"from step {step}"
    return f"Attempt {number} ended: {cause}. Starting attempt {number + 1} {where}."


def write_eval_request(run: RunDir, fields: Mapping[str, object], *, stage: str) -> None:
    """Write the settings of a comparison or merge."""
    path = run.request(stage)
    path.parent.mkdir(exist_ok=True)
    write_whole(path, json.dumps(dict(fields), indent=2) + "\n")
