"""Attempt after attempt, until the run is done or given up; and single jobs beside it."""

import json
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ftdist import __version__
from ftdist.checkpoint.store import CheckpointStore
from ftdist.config.schema import RunConfig
from ftdist.errors import ConfigError
from ftdist.io.jsonl import write_whole
from ftdist.io.progress import LogFn
from ftdist.plan.plan import Plan
from ftdist.rundir import RunDir
from ftdist_launch import entrypoints as jobs
from ftdist_launch.attempts import JobExit, finish_attempt, newest_step, start_attempt
from ftdist_launch.code_snapshot import git_state
from ftdist_launch.local.monitor import (
    LOOK_EVERY_S,
    SAVING,
    InterruptCount,
    StopPolicy,
    follow,
    give_up,
)
from ftdist_launch.local.processes import ProcessId
from ftdist_launch.local.submit import CHECKOUT, ON_EVERY_GPU, private_umask, submit_local
from ftdist_launch.lock import run_lock
from ftdist_launch.rank_failures import RankFailure, read_json
from ftdist_launch.restart_policy import Outcome, decide
from ftdist_launch.slurm.run_jobs import refuse_queued

SINGLE = {
    stage: StopPolicy.without_saving(what)
    for stage, what in (
        ("export", "the export"),
        ("compare", "the comparison"),
        ("merge", "the merge"),
    )
}
"""Stages of one process, which ends with the `ftdist` that started it: it has nothing to save."""

LEFTOVER_S = 10.0
"""How long a single stage may take to end after its `ftdist`."""


class ProgressView(Protocol):
    """Shows a user how a job goes."""

    def update(self) -> None:
        """Show what is new; called a few times a second."""

    def close(self) -> None:
        """Show the rest and leave the terminal as it was."""


ProgressViewFactory = Callable[[Path], ProgressView]
"""Makes a view of a job from the path of its lead's log."""


class _Unseen:
    """A view that nobody sees."""

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
    """Starts the jobs of one run, one at a time, and stays with them."""

    run: RunDir
    config: RunConfig
    make_view: ProgressViewFactory
    log: LogFn
    callables: Mapping[str, Callable[[str], None]]
    """What ranks run, by stage: train, export, compare, merge."""

    @classmethod
    def for_run(
        cls, run: RunDir, config: RunConfig, *, make_view: ProgressViewFactory, log: LogFn
    ) -> "Supervisor":
        """A supervisor of the jobs of `ftdist_launch.entrypoints`."""
        callables = {
            "train": jobs.train,
            "export": jobs.export,
            "compare": jobs.compare,
            "merge": jobs.merge,
        }
        return cls(run=run, config=config, make_view=make_view, log=log, callables=callables)

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Work on the run alone.

        Raises:
            ConfigError: somebody else works on it, or ranks of an earlier attempt still run.
        """
        private = self.config.run.private
        with private_umask(private=private), run_lock(self.run, log=self.log):
            refuse_leftover_ranks(self.run)
            refuse_queued(self.run)
            yield

    def train(self, plan: Plan, *, asked_by: str) -> Finished:
        """Start attempts until the run is done, stopped or given up. Call it within `exclusive`.

        Args:
            plan: of the config that lies in the run directory.
            asked_by: "train" or "resume".
        """
        run, limit = self.run, self.config.cluster.max_attempts_without_progress
        run.append_event("run_requested", by=asked_by, version=__version__, git=git_state(CHECKOUT))
        with InterruptCount.listening() as interrupts:
            while True:
                number = start_attempt(run, self.config, plan)
                ended = self._job(
                    "train", f"train-{number}", run.attempt(number), plan.world_size, interrupts
                )
                settled = finish_attempt(
                    run, number, ended, stop_signal=interrupts.first, limit=limit
                )
                decision = settled.decision
                if decision.outcome == "requeue" and interrupts.first is None:
                    self.log(_once_more(ended, number=number, step=settled.step))
                    continue
                return Finished(
                    outcome=decision.outcome,
                    exit_code=decision.exit_code,
                    failure=ended.failure,
                    step=settled.step,
                    num_stalled_attempts=settled.num_stalled_attempts,
                )

    def once(self, stage: str) -> Finished:
        """Run one process of `stage` to its end; it is not repeated. Call it within `exclusive`."""
        folder = self.run.attempts / stage
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.glob("rank-*.json"):
            path.unlink()
        with InterruptCount.listening() as interrupts:
            ended = self._job(stage, stage, folder, 1, interrupts)
            decision = decide(
                ended.as_attempt(stop_signal=interrupts.first, progressed=False),
                attempts_without_progress=0,
                max_attempts_without_progress=1,
            )
        given_up = decision.outcome == "crash_loop"
        return Finished(
            outcome="failed" if given_up else decision.outcome,
            exit_code=70 if given_up else decision.exit_code,
            failure=ended.failure,
            step=newest_step(self.run),
        )

    def _job(
        self, kind: str, stage: str, folder: Path, ranks: int, interrupts: InterruptCount
    ) -> JobExit:
        stopping = SINGLE.get(kind, SAVING)
        submitted = submit_local(
            self.callables[kind],
            run=self.run,
            stage=stage,
            ranks=ranks,
            every_gpu=kind in ON_EVERY_GPU,
            ends_with_us=kind in SINGLE,
            cluster=self.config.cluster,
            private=self.config.run.private,
        )
        view: ProgressView
        try:
            view = self.make_view(submitted.log(0))
        except OSError:
            view = _Unseen()  # the terminal has gone; the job goes on all the same
        except BaseException:
            give_up(submitted, folder=folder, stopping=stopping)
            raise
        try:
            return follow(
                submitted,
                folder=folder,
                interrupts=interrupts,
                tick=view.update,
                log=self.log,
                stopping=stopping,
            )
        finally:
            with suppress(OSError):
                view.close()


def refuse_all_damaged(run: RunDir) -> None:
    """Refuse to work on a run whose checkpoints were all set aside as damaged.

    Raises:
        StorageError: there were some, and none is left.
    """
    store = CheckpointStore(run.checkpoints, keep=1)
    if not store.committed():
        store.latest_verified(lambda path, why: None)  # noqa: ARG005 - none is there to be told of


def exported_step(run: RunDir) -> int | None:
    """Step that the newest export is of; None where it is not on record."""
    steps = [e.get("step") for e in run.read_events() if e.get("event") == "model_exported"]
    return steps[-1] if steps and isinstance(steps[-1], int) else None


def damages(run: RunDir) -> list[str]:
    """What was said of every checkpoint that was set aside as damaged, oldest first."""
    told = (e.get("problem") for e in run.read_events() if e.get("event") == "checkpoint_corrupt")
    return [str(problem) for problem in told if problem]


def refuse_leftover_ranks(run: RunDir) -> None:
    """Refuse to work on a run whose ranks outlived the `ftdist` that started them.

    That of a single stage ends by itself, and is waited for.

    Raises:
        ConfigError: some of them still run on this machine.
    """
    for stage in SINGLE:
        patience = time.monotonic() + LEFTOVER_S
        while (pids := _leftover(run, stage)) and time.monotonic() < patience:
            time.sleep(LOOK_EVERY_S)
        if pids:
            raise ConfigError(
                f"`ftdist {stage}` of run {run.name} has ended, and what it started has not: "
                f"process {pids[0]}.",
                remedy=f"end it, it has nothing to save: `kill -9 {pids[0]}`, then ask again.",
            )
    pids = _leftover(run, "*")
    if len(pids) == 1:
        raise ConfigError(
            f"A rank of run {run.name} still runs, although the ftdist that started it has ended: "
            f"process {pids[0]}.",
            remedy=f"let it save and end: `kill -USR2 {pids[0]}`, then ask again.",
        )
    if pids:
        raise ConfigError(
            f"{len(pids)} ranks of run {run.name} still run, although the ftdist that started them "
            f"has ended: processes {', '.join(pids)}.",
            remedy=f"let them save and end: `kill -USR2 {' '.join(pids)}`, then ask again.",
        )


def _leftover(run: RunDir, stage: str) -> list[str]:
    """Processes of ranks that run on this machine, of a folder of attempts or (*) of all."""
    pids = []
    for path in run.attempts.glob(f"{stage}/rank-*.start.json"):
        started = read_json(path)
        if started is None or started["host"] != socket.gethostname():
            continue
        if ProcessId(pid=started["pid"], start_ticks=started["start_ticks"]).alive:
            pids.append(str(started["pid"]))
    return pids


def _once_more(ended: JobExit, *, number: int, step: int | None) -> str:
    why = "it was asked to save and end" if ended.failure is None else ended.failure.problem
    where = "from the start" if step is None else f"from step {step}"
    return f"Attempt {number} ended: {why.rstrip('.')}. Starting attempt {number + 1} {where}."


def write_eval_request(run: RunDir, fields: Mapping[str, object], *, stage: str) -> None:
    """Write what a comparison or a merge reads: the fields of `CompareConfig`."""
    path = run.request(stage)
    path.parent.mkdir(exist_ok=True)
    write_whole(path, json.dumps(dict(fields), indent=2) + "\n")
