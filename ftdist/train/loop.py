"""The training loop: step, log, evaluate, save; stop when all ranks agree."""

import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from math import fsum, isfinite
from typing import Literal, Protocol, runtime_checkable

import torch

from ftdist.config.schema import RunConfig
from ftdist.dist.collectives import gather_over_ranks
from ftdist.dist.device import Device, wait_for_device
from ftdist.dist.heap import trim_heap_if_low
from ftdist.dist.phases import PhaseTracker
from ftdist.errors import DivergedError
from ftdist.nn.optim import learning_rate
from ftdist.observe.memory import peak_memory_gib
from ftdist.observe.throughput import StepClock
from ftdist.plan.plan import Plan
from ftdist.train.checkpointing import Checkpointer
from ftdist.train.dataloader import BatchSource
from ftdist.train.evaluator import Evaluator
from ftdist.train.hardware import Hardware
from ftdist.train.metrics_row import StepReport, metrics_row, non_finite_ranks
from ftdist.train.monitors import Monitors
from ftdist.train.probe_eval import EvalResult
from ftdist.train.profiler import StepProfiler
from ftdist.train.rollbacks import RollBack
from ftdist.train.save_schedule import SaveSchedule
from ftdist.train.step import StepResult, seed_step, train_step
from ftdist.zero.engine import Zero3Engine


@runtime_checkable
class StepLogger(Protocol):
    """Where the loop reports to."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Record what was measured at `step`."""

    def note(self, text: str) -> None:
        """Print a line for people."""


@dataclass(frozen=True, kw_only=True)
class LoopEnd:
    """Why the loop ended, and after how many optimizer steps."""

    reason: Literal["complete", "stopped"]
    step: int


@dataclass(frozen=True, kw_only=True)
class Instruments:
    """What the speed of the steps is measured with, and where it is reported to."""

    logger: StepLogger | None
    """On rank 0."""

    hardware: Hardware
    profiler: StepProfiler
    phases: PhaseTracker
    """Follows what this rank does."""

    startup_s: float
    """From the start of this process to the loop."""


class Loop:
    """The training loop of one attempt. Every rank runs it; only rank 0 has a logger.

    Args:
        engine: holds the parameters, as they are after `first_step` steps.
        batches: of any step.
        config: the run.
        plan: how many steps there are.
        checkpointer: saves the training state.
        evaluator: evaluates the model on held-out data and on probes.
        monitors: look after the health of training, and whether this attempt should stop.
        instruments: measure the steps and report them.
    """

    def __init__(
        self,
        engine: Zero3Engine,
        batches: BatchSource,
        *,
        config: RunConfig,
        plan: Plan,
        checkpointer: Checkpointer,
        evaluator: Evaluator,
        monitors: Monitors,
        instruments: Instruments,
    ) -> None:
        self._engine = engine
        self._batches = batches
        self._config = config
        self._plan = plan
        self._monitors = monitors
        self._saves = SaveSchedule(
            checkpointer,
            config=config.checkpoint,
            total_steps=plan.steps,
            note=self._note,
            before_save=monitors.consistency.require,
        )
        self._evaluator = evaluator
        self._logger = instruments.logger
        self._guard = monitors.guard
        self._instruments = instruments
        self._device: Device = "cuda" if engine.device.type == "cuda" else "cpu"
        self._phases = instruments.phases
        self._wait_s = 0.0
        """How long this rank waited for the others at the end of the step before."""

    def run(self, *, first_step: int) -> LoopEnd:
        """Train from `first_step` to the plan's last step, or until a stop is agreed. Collective.

        Raises:
            StorageError: the last checkpoint, or several in a row, could not be written.
            DivergedError: gradients stay non-finite, the parameters are ruined, or the loss spikes
                again and again.
            DeviceError: this rank has other data or weights than most.
        """
        if self._guard.should_stop():
            return LoopEnd(reason="stopped", step=first_step)
        overdue = self._run_overdue_eval(first_step)
        if overdue is not None and overdue.verdict.ends:
            return LoopEnd(reason="complete", step=first_step)
        startup_s = self._instruments.startup_s
        while True:
            self._monitors.health.begin(first_step)
            clock = StepClock(
                total_steps=self._plan.steps, first_step=first_step, startup_s=startup_s
            )
            end = self._train(first_step, clock=clock)
            if isinstance(end, LoopEnd):
                return end
            self._monitors.rollback.record(end)
            if self._guard.should_stop():  # the next attempt goes back
                return LoopEnd(reason="stopped", step=end.spike)
            with self._phases.phase("load"):
                first_step, startup_s = self._monitors.rollback.go_back(end), 0.0

    def _train(self, first_step: int, *, clock: StepClock) -> LoopEnd | RollBack:
        """Train until the end, a stop or a roll-back."""
        total_steps, world = self._plan.steps, self._engine.world
        steps = self._monitors.rollback.steps(range(first_step, total_steps))
        with closing(self._batches.prefetch(steps)) as batches:
            for step in steps:
                self._phases.begin_step(step + 1)
                with clock.waiting_for_data():
                    batch = next(batches)
                rate = learning_rate(step, total_steps=total_steps, config=self._config.optim)
                self._engine.set_learning_rate(rate)
                seed_step(self._config.run.seed, step=step, rank=world.rank)
                with self._instruments.profiler.record(step + 1):
                    result = train_step(
                        self._engine,
                        batch.micro_batches,
                        loss_tokens=sum(batch.loss_tokens),
                        sources=len(batch.loss_tokens),
                    )
                    report = self._share(result)
                self._phases.end_step()
                times = clock.step_done(batch.tokens)
                with clock.pause():
                    row = metrics_row(
                        step + 1,
                        batch,
                        report,
                        times,
                        rate=rate,
                        plan=self._plan,
                        hardware=self._instruments.hardware,
                    )
                    end = self._after_step(step + 1, row, report)
                    if self._device == "cpu":
                        trim_heap_if_low(ranks=world.local_size)
                if end is not None:
                    return end
        return LoopEnd(reason="complete", step=total_steps)

    def _after_step(
        self, done: int, row: dict[str, float], report: StepReport
    ) -> LoopEnd | RollBack | None:
        """Do what follows a step, and say how the loop ends, if it does.

        On every rank, in this order:

        1. The step is judged, and the ranks are compared. After a spike or divergence the save that
           is under way is committed, and it is decided whether training goes back or fails.
        2. A save that all ranks have written is committed.
        3. What is due is evaluated, unless training stops.
        4. The row is logged: no checkpoint is of a step that metrics.jsonl lacks.
        5. The loop is left if training failed or goes back, before anything of this step is saved.
        6. The state is saved if that is due, it is the best, or training ends here.
        """
        verdict = self._judge(done, row, report)
        with self._phases.phase("save"):
            self._saves.after_step(done, all_written=report.all_written)
        complete = done == self._plan.steps
        wants_stop = report.wants_stop and not complete
        result = None
        if not wants_stop and self._evaluator.is_due(done, last=complete):
            with self._phases.phase("evaluate"):
                result = self._evaluator.run(
                    done, row, last=complete, should_stop=self._guard.should_stop
                )
            # An evaluation is cut short by a stop that comes meanwhile.
            wants_stop = self._guard.should_stop() and not complete
        ends = complete or (result is not None and result.verdict.ends)
        row |= self._saves.take_times()
        if self._logger is not None:
            self._logger.log(done, row)
            self._monitors.stop_time.check(row)
        if isinstance(verdict, DivergedError):
            raise verdict
        if verdict is not None:
            return verdict
        is_best = result is not None and result.verdict.is_best
        is_sound = self._monitors.health.is_sound
        with self._phases.phase("save"):
            self._saves.save_if_due(
                done, is_best=is_best, last=wants_stop or ends, is_sound=is_sound
            )
            if ends:
                self._saves.end()
        if wants_stop:
            return LoopEnd(reason="stopped", step=done)
        return LoopEnd(reason="complete", step=done) if ends else None

    def _judge(
        self, done: int, row: dict[str, float], report: StepReport
    ) -> RollBack | DivergedError | None:
        """Whether training goes on after a step, goes back, or has diverged."""
        health, rollback = self._monitors.health, self._monitors.rollback
        spike = health.after_step(done, row, non_finite_ranks=report.non_finite_ranks)
        self._monitors.consistency.after_step(done)
        if not health.has_diverged and not rollback.is_wanted(spike):
            return None
        with self._phases.phase("save"):
            self._saves.drain(last=True)  # the best to go back to may be under way
        return health.diverged_error() if health.has_diverged else rollback.decide(spike)

    def _share(self, result: StepResult) -> StepReport:
        """What all ranks measured of a step, by one collective and one wait for the device.

        The sums are rounded once, so that they do not depend on the order of ranks.
        """
        sums = torch.cat([result.loss_sums, *result.distilled_sums])
        number, sources = len(sums), len(result.loss_sums)
        own = torch.empty(number + 5, dtype=torch.float64, device=self._engine.device)
        own[:number] = sums
        own[number] = result.grad_norm
        own[number + 1] = peak_memory_gib(self._device)
        own[number + 2] = float(self._guard.wants_stop())
        own[number + 3] = self._wait_s
        own[number + 4] = float(self._saves.is_written)
        wait_for_device(self._engine.device)
        began = time.perf_counter()
        *losses, grad_norms, peaks, stops, waits_s, written = zip(
            *gather_over_ranks(own), strict=True
        )
        self._wait_s = time.perf_counter() - began
        totals = [fsum(of_ranks) for of_ranks in losses]
        return StepReport(
            loss_sums=totals[:sources],
            distilled_cross_entropy=totals[sources : 2 * sources],
            distillation=totals[2 * sources :],
            non_finite_ranks=() if all(map(isfinite, totals)) else non_finite_ranks(losses),
            grad_norm=grad_norms[0],
            skipped=result.skipped,
            peak_gib=max(peaks),
            wants_stop=any(stops),
            waits_s=waits_s,
            all_written=all(written),
        )

    def _run_overdue_eval(self, step: int) -> EvalResult | None:
        """Evaluate, and keep as the best, what the attempt before this one had no time for."""
        with self._phases.phase("evaluate"):
            result = self._evaluator.run_if_overdue(step, should_stop=self._guard.should_stop)
        if result is None:
            return None
        if self._logger is not None and result.row:
            self._logger.log(step, result.row)
        if result.verdict.is_best:
            with self._phases.phase("save"):
                self._saves.save_if_due(step, is_best=True, last=False)
        return result

    def _note(self, text: str) -> None:
        if self._logger is not None:
            self._logger.note(text)
