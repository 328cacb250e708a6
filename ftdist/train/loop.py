"""The loop: step, observe, evaluate, save; stop when all ranks agree."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from ftdist.config.schema import RunConfig
from ftdist.dist.collectives import max_over_ranks, sum_over_ranks
from ftdist.dist.device import Device
from ftdist.errors import FtdistError, StorageError
from ftdist.nn.optim import learning_rate
from ftdist.observe import metrics
from ftdist.observe.loggers import MetricLogger
from ftdist.observe.memory import peak_memory_gib
from ftdist.observe.throughput import StepClock
from ftdist.plan.plan import Plan
from ftdist.train.dataloader import BatchSource
from ftdist.train.probe_eval import Measures, Taken
from ftdist.train.step import train_step
from ftdist.train.validation import held_out_loss
from ftdist.zero.engine import Zero3Engine

MAX_FAILED_SAVES = 3
"""Saves that may fail one after another before the attempt is given up."""

MAX_SKIPPED_STEPS = 10
"""Steps that may be left out one after another, their gradients not finite, before it is."""


@dataclass(frozen=True, kw_only=True)
class LoopEnd:
    """Why the loop ended, and after how many optimizer steps."""

    reason: Literal["complete", "stopped"]
    step: int


class Loop:
    """The training loop of one attempt. Every rank runs it; the lead alone has sinks.

    Args:
        engine: holds the parameters, as they are after `first_step` steps.
        batches: of any step.
        config: the run.
        plan: how many steps there are.
        save: commits a checkpoint of the given step, on every rank or on none; told whether it is
            the best so far. Collective.
        measures: what is known and kept is measured by; None: it is not.
        sinks: on the lead.
        stop_agreed: whether any rank wants to stop; the same answer on all. Collective.
    """

    def __init__(
        self,
        engine: Zero3Engine,
        batches: BatchSource,
        *,
        config: RunConfig,
        plan: Plan,
        save: Callable[[int, bool], None],
        measures: Measures | None,
        sinks: MetricLogger | None,
        stop_agreed: Callable[[], bool],
    ) -> None:
        self._engine = engine
        self._batches = batches
        self._config = config
        self._plan = plan
        self._save = save
        self._measures = measures
        self._sinks = sinks
        self._stop_agreed = stop_agreed
        self._device: Device = "cuda" if engine.device.type == "cuda" else "cpu"
        self._failed_saves = 0
        self._skipped_steps = 0

    def run(self, *, first_step: int) -> LoopEnd:
        """Train from `first_step` to the plan's last step, or until a stop is agreed. Collective.

        Raises:
            StorageError: the last checkpoint, or several in a row, could not be written.
            FtdistError: gradients stay infinite or no numbers.
        """
        total_steps = self._plan.steps
        if self._stop_agreed():
            return LoopEnd(reason="stopped", step=first_step)
        if self._caught_up(first_step):
            return LoopEnd(reason="complete", step=first_step)
        clock = StepClock(total_steps=total_steps, first_step=first_step)
        saved: dict[str, float] = {}
        for step in range(first_step, total_steps):
            row = self._step(step, clock) | saved
            saved = {}
            done = step + 1
            complete = done == total_steps
            wants_stop = self._stop_agreed() and not complete
            with clock.pause():
                every = self._config.eval.loss_every_steps
                if not wants_stop and _is_due(done, every, last=complete):
                    row |= self._evaluate()
                taken = None if wants_stop else self._measured(done, last=complete)
                is_best = taken is not None and taken.judgement.is_best
                ends = taken is not None and taken.judgement.ends
                row |= taken.row if taken else {}
                # A measurement is left out for a stop that comes while it is taken.
                wants_stop = wants_stop or (self._stop_agreed() and not complete)
                # The row comes first: a checkpoint never knows of a step that no row tells of.
                if self._sinks is not None:
                    self._sinks.log(done, row)
                last = wants_stop or complete or ends
                if is_best or _is_due(done, self._config.checkpoint.every_steps, last=last):
                    began = time.perf_counter()
                    self._checkpoint(done, last=last, is_best=is_best)
                    saved = {metrics.SAVE_S.name: time.perf_counter() - began}
            if wants_stop:
                return LoopEnd(reason="stopped", step=done)
            if ends:
                return LoopEnd(reason="complete", step=done)
        return LoopEnd(reason="complete", step=total_steps)

    def _step(self, step: int, clock: StepClock) -> dict[str, float]:
        """One step, and what was measured of it."""
        with clock.waiting_for_data():
            batches = self._batches.step(step)
        seed_step(self._config.run.seed, step=step, rank=self._engine.world.rank)
        rate = learning_rate(step, total_steps=self._plan.steps, config=self._config.optim)
        self._engine.set_learning_rate(rate)
        loss_tokens = sum(batches.loss_tokens)
        result = train_step(
            self._engine,
            batches.micro_batches,
            loss_tokens=loss_tokens,
            sources=len(batches.loss_tokens),
        )
        loss_sums = sum_over_ranks(result.loss_sums.tolist())
        peak_gib = max_over_ranks(peak_memory_gib(self._device))
        times = clock.step_done(batches.tokens)
        self._count_skipped(result.skipped, done=step + 1)
        return {
            metrics.LOSS.name: sum(loss_sums) / loss_tokens,
            **self._losses_of_sources(loss_sums, batches.loss_tokens),
            metrics.LOSS_TOKENS.name: loss_tokens,
            metrics.TOKENS.name: batches.tokens,
            metrics.EPOCH.name: self._plan.epochs * (step + 1) / self._plan.steps,
            metrics.SKIPPED.name: float(result.skipped),
            metrics.GRAD_NORM.name: result.grad_norm,
            metrics.LEARNING_RATE.name: rate,
            metrics.TOKENS_PER_S.name: times.tokens_per_s,
            metrics.STEP_S.name: times.step_s,
            metrics.DATA_S.name: times.data_s,
            metrics.ETA_S.name: times.eta_s,
            metrics.PEAK_GIB.name: peak_gib,
        }

    def _losses_of_sources(
        self, loss_sums: Sequence[float], loss_tokens: Sequence[int]
    ) -> dict[str, float]:
        """Each source's own mean, where there are several, of those that the step drew from."""
        sources = self._plan.library.sources
        if len(sources) == 1:
            return {}
        return {
            metrics.source_loss(source.name): loss / tokens
            for source, loss, tokens in zip(sources, loss_sums, loss_tokens, strict=True)
            if tokens
        }

    def _evaluate(self) -> dict[str, float]:
        """The held-out loss and how long it took; nothing where nothing is held out."""
        began = time.perf_counter()
        loss = held_out_loss(self._engine, self._batches)
        if loss is None:
            return {}
        took_s = time.perf_counter() - began
        return {metrics.HELD_OUT_LOSS.name: loss, metrics.EVALUATE_S.name: took_s}

    def _measured(self, done: int, *, last: bool) -> Taken | None:
        """What is known and kept, where it is time to look."""
        every = self._config.eval.probes_every_steps
        if self._measures is None or not _is_due(done, every, last=last):
            return None
        taken = self._measures.take(done)
        if self._sinks is not None and taken is not None:
            self._sinks.note(taken.told)
        return taken

    def _caught_up(self, step: int) -> bool:
        """Measure, and keep, what the attempt before this one had no time for.

        Returns:
            Whether training ends here.
        """
        taken = None if self._measures is None else self._measures.catch_up(step)
        if taken is None:
            return False
        if self._sinks is not None:
            self._sinks.note(taken.told)
            if taken.row:
                self._sinks.log(step, taken.row)
        if taken.judgement.is_best:
            self._checkpoint(step, last=False, is_best=True)
        return taken.judgement.ends

    def _count_skipped(self, skipped: bool, *, done: int) -> None:
        self._skipped_steps = self._skipped_steps + 1 if skipped else 0
        if self._skipped_steps >= MAX_SKIPPED_STEPS:
            raise FtdistError(
                f"The gradients of {MAX_SKIPPED_STEPS} steps in a row, the last of them step "
                f"{done}, were infinite or no numbers; no update was made with them.",
                remedy="lower optim.peak_lr or raise optim.warmup_ratio, under a new run.name.",
            )

    def _checkpoint(self, step: int, *, last: bool, is_best: bool) -> None:
        """Save; a failure is told and training goes on, unless nothing would be kept."""
        try:
            self._save(step, is_best)
        except StorageError as error:
            self._failed_saves += 1
            if last or self._failed_saves >= MAX_FAILED_SAVES:
                raise
            if self._sinks is not None:
                self._sinks.note(f"Checkpoint of step {step} failed, training goes on: {error}")
        else:
            self._failed_saves = 0
            if is_best and self._measures is not None:
                self._measures.keep(step)


def seed_step(seed: int, *, step: int, rank: int) -> None:
    """Make draws of a step (dropout) a function of (seed, step, rank): no state to keep."""
    (state,) = np.random.SeedSequence([seed, step, rank]).generate_state(1, np.uint64)
    torch.manual_seed(int(state))


def _is_due(step: int, every: int, *, last: bool) -> bool:
    return last or (every > 0 and step % every == 0)
