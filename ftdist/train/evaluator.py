"""All evaluations during training: the held-out loss, and probes."""

import time
from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from ftdist.config.schema.evaluation import EvalConfig
from ftdist.io.progress_line import ProgressLine
from ftdist.observe import metrics
from ftdist.plan.plan import Plan
from ftdist.train.dataloader import BatchSource
from ftdist.train.probe_eval import EvalResult, ProbeEval, ShouldStop
from ftdist.train.validation import held_out_loss
from ftdist.zero.engine import Zero3Engine


@runtime_checkable
class EvaluationLogger(Protocol):
    """Where evaluations report to."""

    def begin_evaluation(
        self, step: int, values: Mapping[str, float], *, expected_s: float | None
    ) -> None:
        """Show a step before its evaluation starts."""

    def note(self, text: str) -> None:
        """Print a line for people."""


class Evaluator:
    """The evaluations of one attempt. Every rank has one; only rank 0 has a logger.

    Args:
        engine: holds the parameters.
        batches: hold the held-out part.
        config: when to evaluate.
        plan: how long the held-out part is.
        probe_eval: evaluates the model on probes; None: it is not evaluated.
        logger: on rank 0.
        progress_line: reports the progress.
    """

    def __init__(
        self,
        engine: Zero3Engine,
        batches: BatchSource,
        *,
        config: EvalConfig,
        plan: Plan,
        probe_eval: ProbeEval | None,
        logger: EvaluationLogger | None,
        progress_line: ProgressLine,
    ) -> None:
        self._engine, self._batches, self._config, self._plan = engine, batches, config, plan
        self._probe_eval, self._logger, self._progress_line = probe_eval, logger, progress_line
        self._holds_out = batches.held_out_loss_tokens() > 0
        self._held_out_s: float | None = None
        """How long the last one took, in seconds."""

    def is_due(self, done: int, *, last: bool) -> bool:
        """Whether the model is evaluated after `done` steps."""
        return self._is_loss_due(done, last=last) or self._are_probes_due(done, last=last)

    def run(
        self, done: int, row: dict[str, float], *, last: bool, should_stop: ShouldStop
    ) -> EvalResult | None:
        """Evaluate on held-out data and on probes, as far as they are due. Collective.

        Args:
            done: optimizer steps done.
            row: what was measured of the step; evaluations are added.
            last: whether it is the last step.
            should_stop: whether any rank wants to stop, which cuts it short. Collective.

        Returns:
            The result on probes; None if they are not due, or a stop is agreed.
        """
        of_loss = self._is_loss_due(done, last=last)
        of_probes = self._are_probes_due(done, last=last)
        if self._logger is not None:
            expected_s = self._expected_s(row, of_loss=of_loss, of_probes=of_probes)
            self._logger.begin_evaluation(done, row, expected_s=expected_s)
        if of_loss:
            row |= self._held_out(done)
        if self._probe_eval is None or not of_probes:
            return None
        result = self._probe_eval.run(done, should_stop=should_stop)
        if result is not None:
            self._note(result.summary)
            row |= result.row
        return result

    def run_if_overdue(self, step: int, *, should_stop: ShouldStop) -> EvalResult | None:
        """Evaluate on probes what the attempt before this one had no time for. Collective."""
        if self._probe_eval is None:
            return None
        result = self._probe_eval.run_if_overdue(step, should_stop=should_stop)
        if result is not None:
            self._note(result.summary)
        return result

    def _is_loss_due(self, done: int, *, last: bool) -> bool:
        every = self._config.loss_every_steps
        return self._holds_out and (last or (every > 0 and done % every == 0))

    def _are_probes_due(self, done: int, *, last: bool) -> bool:
        return self._probe_eval is not None and self._probe_eval.is_due(done, last=last)

    def _held_out(self, done: int) -> dict[str, float]:
        began = time.perf_counter()
        self._progress_line.start(f"Evaluating after step {done}")
        loss = held_out_loss(self._engine, self._batches, progress_line=self._progress_line)
        self._held_out_s = time.perf_counter() - began
        if loss is None:
            return {}
        return {metrics.HELD_OUT_LOSS.name: loss, metrics.EVALUATE_S.name: self._held_out_s}

    def _expected_s(
        self, row: Mapping[str, float], *, of_loss: bool, of_probes: bool
    ) -> float | None:
        """How long the evaluations that are due will take; None: unknown, none was measured."""
        expected_s = 0.0
        if of_loss:
            before_s = self._held_out_s
            expected_s += self._estimate_held_out_s(row) if before_s is None else before_s
        if of_probes and self._probe_eval is not None:
            if self._probe_eval.last_s is None:
                return None
            expected_s += self._probe_eval.last_s
        return expected_s

    def _estimate_held_out_s(self, row: Mapping[str, float]) -> float:
        """From the step's time, of which the forward passes are about a third."""
        plan = self._plan
        held_out = sum(source.held_out_sequences for source in plan.library.sources)
        return row[metrics.STEP_S.name] / 3 * held_out / plan.global_sequences

    def _note(self, text: str) -> None:
        if self._logger is not None:
            self._logger.note(text)
