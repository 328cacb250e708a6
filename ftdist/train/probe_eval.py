"""Evaluation on probes and general questions while the model trains.

    runs/R/evals.jsonl    one line per evaluation; the base model's is of step 0

Every rank evaluates its share on the sharded model: a model that can be trained can be evaluated.
The base model is evaluated first, while the parameters are still its own, and later evaluations
are compared with it, item by item.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoTokenizer

from ftdist.config.schema import RunConfig
from ftdist.config.schema.types import resolved
from ftdist.data.default_template import ensure_chat_template
from ftdist.data.messages import Message
from ftdist.data.prompt_builder import PromptBuilder
from ftdist.data.thoughts import split_thought
from ftdist.dist.collectives import broadcast_json, max_over_ranks, sum_over_ranks
from ftdist.dist.world import World
from ftdist.errors import DataError, FtdistError
from ftdist.evaluation.best_checkpoint import STEP, BestCheckpointTracker, Verdict
from ftdist.evaluation.eval_set import EvalSet, read_eval_set
from ftdist.evaluation.probes import Probe
from ftdist.io.jsonl import append_json_line, read_json_lines
from ftdist.io.progress_line import ProgressLine
from ftdist.observe import metrics
from ftdist.plan.dataset_info import has_fixed_opening
from ftdist.rundir import RunDir
from ftdist.train.eval_items import EvalItems, ItemScores, compare_to_base, mix_kinds
from ftdist.train.eval_summary import metrics_row, summarize
from ftdist.train.sharded_generate import generate, stop_tokens
from ftdist.zero.engine import Zero3Engine

ShouldStop = Callable[[], bool]
"""Whether any rank wants to stop, which cuts an evaluation short. Collective."""


@dataclass(frozen=True, kw_only=True)
class EvalResult:
    """One evaluation."""

    row: dict[str, float]
    """By the names in `metrics`; empty where it was logged before."""

    verdict: Verdict
    summary: str
    """One line for the log."""


class ProbeEval:
    """The evaluations of one attempt. Every rank has one; every method is collective.

    Args:
        run: where they are recorded.
        config: what is evaluated, and how much of it.
        engine: holds the parameters; those of the base model until `evaluate_base` has run.
        best: compares the evaluations with each other.
        attempt: number of this attempt.
        progress_line: reports the progress of an evaluation.

    Raises:
        DataError: there are no questions about the library, or ranks have read different files.
    """

    def __init__(
        self,
        run: RunDir,
        config: RunConfig,
        engine: Zero3Engine,
        *,
        best: BestCheckpointTracker,
        attempt: int,
        progress_line: ProgressLine,
    ) -> None:
        self._progress_line = progress_line
        self.last_s: float | None = None
        """How long the last evaluation of this attempt took, in seconds."""
        self._run, self._config, self._engine = run, config, engine
        self._best, self._attempt, self._world = best, attempt, engine.world
        self._tokenizer: Any = AutoTokenizer.from_pretrained(config.model.path)
        ensure_chat_template(self._tokenizer)
        self._prompt_builder = PromptBuilder(
            self._tokenizer,
            system_prompt=config.library.system_prompt,
            fixed_opening=has_fixed_opening(run.plan),
            embedding_rows=engine.embedding_rows,
        )
        inputs = _read_eval_set(config)
        max_tokens = resolved(config.batch.sequence_length)
        self._items = EvalItems(
            inputs,
            self._tokenizer,
            system_prompt=config.library.system_prompt,
            max_items=config.eval.max_questions,
            max_tokens=max_tokens,
        )
        _refuse_without_library_questions(self._items, source=inputs.source, max_tokens=max_tokens)
        self._batches = self._items.batches(engine.world, max_tokens=max_tokens)
        self._key_batches = self._items.key_tokens.batches(engine.world, max_tokens=max_tokens)
        # Ranks share rows of questions, but each writes answers of its own.
        own_tokens = max_tokens // engine.world.sequence_parallel_size
        room = own_tokens - config.eval.max_new_tokens_in_training
        probes = mix_kinds(inputs.probes, config.eval.num_generations)
        self._generation_probes = [probe for probe in probes if len(self._prompt(probe)) <= room]
        self._digest = self._items.digest()
        digests = [self._digest, [probe.question for probe in self._generation_probes]]
        _refuse_other_digests(digests, source=inputs.source, world=engine.world)
        self._base: ItemScores | None = None
        self._unwritten: list[dict[str, Any]] = []

    def evaluate_base(self) -> None:
        """Evaluate the base model unless it is on record; the engine must still hold it."""
        rows = broadcast_json(self._recorded(last_step=0), world=self._world)
        # Without a stop: nothing has been trained that could be lost.
        self._base = (
            ItemScores.from_row(rows[-1])
            if rows
            else self._evaluate(step=0, should_stop=lambda: False)
        )

    def resume_from(self, step: int, *, best: int | None) -> None:
        """Load the evaluations up to `step`, from which this attempt continues.

        Args:
            step: of the checkpoint that was restored.
            best: of the checkpoint that is kept as the best.
        """
        assert self._base is not None
        points = [
            compare_to_base(self._base, ItemScores.from_row(row)) | {STEP: row[STEP]}
            for row in broadcast_json(self._recorded(last_step=step), world=self._world)
            if row[STEP] > 0
        ]
        self._best.load_history(points, best=best)

    def is_due(self, step: int, *, last: bool) -> bool:
        """Whether the model is evaluated after `step` steps."""
        return last or step % self._config.eval.probes_every_steps == 0

    def run_if_overdue(self, step: int, *, should_stop: ShouldStop) -> EvalResult | None:
        """The result at `step`, where an attempt resumes and an evaluation was due.

        The attempt before may have been stopped before the evaluation, or before its checkpoint
        was kept as the best.

        Returns:
            None where nothing is due, or a stop is agreed.
        """
        if step == 0 or not self.is_due(step, last=False):
            return None
        if self._best.evaluation_of(step) is None:
            return self.run(step, should_stop=should_stop)
        return self._result(step, row={}, summary="evaluated before")

    def run(self, step: int, *, should_stop: ShouldStop) -> EvalResult | None:
        """Evaluate the parameters after `step` steps; None where a stop is agreed meanwhile."""
        assert self._base is not None
        began = time.perf_counter()
        scores = self._evaluate(step=step, should_stop=should_stop)
        if scores is None:
            return None
        point = compare_to_base(self._base, scores) | {STEP: step}
        self._best.add(point)
        row = metrics_row(scores, point) | {metrics.PROBE_EVAL_S.name: time.perf_counter() - began}
        return self._result(step, row=row, summary=summarize(self._base, scores, point))

    def _result(self, step: int, *, row: dict[str, float], summary: str) -> EvalResult:
        verdict = self._best.judge(step)
        summary = f"Evaluation at step {step}: {summary}: {verdict.summary}."
        return EvalResult(row=row, verdict=verdict, summary=summary)

    def _evaluate(self, *, step: int, should_stop: ShouldStop) -> ItemScores | None:
        began, device = time.perf_counter(), self._engine.device
        self._progress_line.start(
            f"Evaluating after step {step}" if step else "Evaluating the base model"
        )
        sums = torch.zeros(len(self._items.samples), dtype=torch.float64, device=device)
        for number, batch in enumerate(self._batches):
            if should_stop():
                return None
            self._progress_line.report(number, len(self._batches), "batches of questions")
            _, losses = self._engine.evaluate(batch.to(device))
            sums.index_add_(0, batch.sources.to(device), losses.double())
        hits = self._key_hits(should_stop)
        if hits is None:
            return None
        scores = self._items.scores(sum_over_ranks(sums.tolist()), sum_over_ranks(hits.tolist()))
        generations = self._generate(should_stop)
        if should_stop():
            return None
        if self._world.is_rank0:
            header = {STEP: step, "attempt": self._attempt, "digest": self._digest}
            self._record(header | asdict(scores) | {"generations": generations})
        self.last_s = time.perf_counter() - began
        return scores

    def _key_hits(self, should_stop: ShouldStop) -> Tensor | None:
        """1 for each key token of this rank that is the most likely one, else 0."""
        device = self._engine.device
        hits = torch.zeros(self._items.key_tokens.count, dtype=torch.float64, device=device)
        for number, batch in enumerate(self._key_batches):
            if should_stop():
                return None
            self._progress_line.report(number, len(self._key_batches), "batches of key facts")
            row = batch.to(device)
            logits = self._engine.logits(row, row.loss_positions)
            hits.index_add_(0, row.sources, (logits.argmax(dim=-1) == row.targets).double())
        return hits

    def _record(self, row: dict[str, Any]) -> None:
        """Write a row; if the disk is full, training continues and the row waits for the next."""
        self._unwritten.append(row)
        with suppress(OSError):
            while self._unwritten:
                append_json_line(self._run.evals, self._unwritten[0])
                self._unwritten.pop(0)

    def _prompt(self, probe: Probe) -> list[int]:
        return self._prompt_builder.prompt([Message(role="user", content=probe.question)])

    def _generate(self, should_stop: ShouldStop) -> list[dict[str, str]]:
        prompts = [self._prompt(probe) for probe in self._generation_probes]
        answers = generate(
            self._engine,
            prompts,
            stops=self._prompt_builder.ends(stop_tokens(Path(self._config.model.path))),
            max_tokens=self._config.eval.max_new_tokens_in_training,
            row_tokens=resolved(self._config.batch.sequence_length),
            should_stop=should_stop,
            world=self._world,
            on_token=lambda done: self._progress_line.report(done, len(prompts), "written answers"),
        )
        if not self._world.is_rank0:
            return []
        return [
            {
                "kind": probe.kind,
                "question": probe.question,
                "expected": probe.answer,
                "answer": split_thought(self._prompt_builder.text(prompt, ids)).answer,
            }
            for probe, prompt, ids in zip(self._generation_probes, prompts, answers, strict=True)
        ]

    def _recorded(self, *, last_step: int) -> list[dict[str, Any]]:
        """The recorded evaluations of these items up to a step, in order, one per step."""
        if not self._world.is_rank0:
            return []
        rows = {
            row[STEP]: row
            for row in read_json_lines(self._run.evals)
            if row["digest"] == self._digest and row[STEP] <= last_step
        }
        return [rows[step] for step in sorted(rows)]


def _refuse_without_library_questions(items: EvalItems, *, source: Path, max_tokens: int) -> None:
    if not items.has_library_questions:
        raise DataError(
            f"{source} has no question about the library with answers to rank, of at most "
            f"{max_tokens} tokens.",
            remedy="add fact probes with different answers, or set eval.probes_every_steps=0.",
        )


def _refuse_other_digests(digests: Sequence[Any], *, source: Path, world: World) -> None:
    """Refuse ranks that have read different files. Collective."""
    differs = digests != broadcast_json(digests, world=world)
    if max_over_ranks(float(differs)) > 0:
        raise DataError(
            f"The evaluation data changed while ranks read it: {source}, or another file of eval.",
            remedy="leave these files unchanged while a run starts, then start it again.",
        )


def _read_eval_set(config: RunConfig) -> EvalSet:
    try:
        return read_eval_set(
            replace(config.eval, lm_eval_tasks=[], num_general_generations=0, num_instructions=0),
            library=Path(config.library.path),
        )
    except FtdistError as error:
        raise DataError(
            error.problem,
            remedy="restore it, or continue with `ftdist resume R eval.probes_every_steps=0`.",
        ) from error
