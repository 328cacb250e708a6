"""What the model knows of the library and keeps of the rest, measured while it learns.

    runs/R/measures.jsonl    a line a measurement; the base's is of step 0

Every rank weighs its share, over the shards: a model that can be trained can be measured. The
base is measured first, as long as the parameters are the base's, and every later measurement is
set against it, item by item.
"""

import json
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer

from ftdist.config.schema import RunConfig
from ftdist.data.chat_encoder import ensure_chat_template
from ftdist.data.collate import Batch, build_batch
from ftdist.data.messages import Message
from ftdist.data.packed_dataset import PackedSequence
from ftdist.data.prompt_builder import PromptBuilder
from ftdist.dist.collectives import from_all, from_lead, sum_over_ranks
from ftdist.dist.world import World
from ftdist.errors import DataError, FtdistError
from ftdist.evaluation.best_checkpoint import STEP, Judgement, Standing
from ftdist.evaluation.eval_set import Inputs, read_inputs
from ftdist.evaluation.probes import Probe
from ftdist.evaluation.selection import Scores
from ftdist.io.jsonl import append_json_line, read_json_lines
from ftdist.io.sampling import evenly_spaced
from ftdist.observe import metrics
from ftdist.rundir import RunDir
from ftdist.train.eval_items import Items, Weighed, against
from ftdist.train.sharded_generate import PADDING, write_answers
from ftdist.zero.engine import Zero3Engine


@dataclass(frozen=True, kw_only=True)
class Taken:
    """A measurement."""

    row: dict[str, float]
    """By the names in `metrics`; empty where it is on record already."""

    judgement: Judgement
    told: str
    """All of it, for people."""


class Measures:
    """Measurements of one attempt. Every rank has one; every method is collective.

    Args:
        run: where they are recorded.
        config: what is asked, and how much of it.
        engine: holds the parameters; those of the base until `measure_base` has been called.
        attempt: number of this start.
        stop_agreed: whether any rank wants to stop: a measurement is left out then. Collective.
        world: this rank.

    Raises:
        DataError: there is nothing about the library to ask, or ranks have read different things.
    """

    def __init__(
        self,
        run: RunDir,
        config: RunConfig,
        engine: Zero3Engine,
        *,
        attempt: int,
        stop_agreed: Callable[[], bool],
        world: World,
    ) -> None:
        self._stop_agreed = stop_agreed
        self._run, self._config, self._engine = run, config, engine
        self._attempt, self._world = attempt, world
        self._tokenizer: Any = AutoTokenizer.from_pretrained(config.model.path)
        ensure_chat_template(self._tokenizer)
        self._prompt_builder = PromptBuilder(
            self._tokenizer, system_prompt=config.library.system_prompt
        )
        inputs = _inputs(config)
        longest = config.batch.sequence_length
        self._items = Items(
            inputs,
            self._tokenizer,
            system_prompt=config.library.system_prompt,
            most=config.eval.max_questions,
            longest=longest,
        )
        if not self._items.asks_library:
            raise DataError(
                f"{inputs.source} has no question about the library with answers to rank, of at "
                f"most {longest} tokens.",
                remedy="add recall probes with different answers, or set "
                "eval.probes_every_steps=0.",
            )
        self._batches = list(self._rows(self._items.samples, most_tokens=longest))
        self._asked = self._short(_mixed(inputs.probes, config.eval.num_generations))
        self._digest = self._items.digest()
        asked = [self._digest, [probe.question for probe in self._asked]]
        if any(other != asked for other in from_all(asked, world=world)):
            raise DataError(
                f"What is measured changed while ranks read it: {inputs.source}, or another file "
                "of compare.",
                remedy="leave these files as they are while a run starts, then start it again.",
            )
        self._base: Weighed | None = None
        self._standing = Standing(
            max_loss_increase=config.merge.max_loss_increase,
            patience=config.early_stopping.patience,
        )
        self._unwritten: list[dict[str, Any]] = []

    def measure_base(self) -> None:
        """Measure the base, if it is not on record; the parameters must be the base's still."""
        kept = from_lead(self._on_record(last_step=0), world=self._world)
        self._base = _weighed(kept[-1]) if kept else self._measure(step=0, is_over=_never)

    def go_on_from(self, step: int, *, best: int | None) -> None:
        """Take up what was measured up to `step`, from which this attempt goes on.

        Args:
            step: of the checkpoint that was taken up.
            best: of the checkpoint that is kept as the best.
        """
        assert self._base is not None
        kept = from_lead(self._on_record(last_step=step), world=self._world)
        points = [
            against(self._base, _weighed(row)) | {STEP: row[STEP]} for row in kept if row[STEP] > 0
        ]
        self._standing.take_up(points, best=best)

    def catch_up(self, step: int) -> Taken | None:
        """What the attempt before this one had no time for: to measure `step`, or to keep it.

        Returns:
            None where nothing is due, or a stop is agreed.
        """
        if step == 0 or step % self._config.eval.probes_every_steps:
            return None
        if self._standing.at(step) is None:
            return self.take(step)
        return self._taken(step, row={}, told="measured before")

    def take(self, step: int) -> Taken | None:
        """Measure the parameters as they are after `step` steps; None where a stop is agreed."""
        assert self._base is not None
        began = time.perf_counter()
        found = self._measure(step=step, is_over=self._stop_agreed)
        if found is None:
            return None
        point = against(self._base, found) | {STEP: step}
        self._standing.add(point)
        row = _row(found, point) | {metrics.MEASURE_S.name: time.perf_counter() - began}
        return self._taken(step, row=row, told=_told(self._base, found, point))

    def keep(self, step: int) -> None:
        """Set later measurements against `step`: its checkpoint is kept as the best."""
        self._standing.keep(step)

    def _taken(self, step: int, *, row: dict[str, float], told: str) -> Taken:
        judgement = self._standing.judge(step)
        told = f"After step {step}: {told}: {judgement.told}."
        return Taken(row=row, judgement=judgement, told=told)

    def _measure(self, *, step: int, is_over: Callable[[], bool]) -> Weighed | None:
        sums = torch.zeros(
            len(self._items.samples), dtype=torch.float64, device=self._engine.device
        )
        for batch in self._batches:
            if is_over():
                return None
            _, losses = self._engine.evaluate(batch.to(self._engine.device))
            sums.index_add_(0, batch.sources.to(sums.device), losses.double())
        found = self._items.weighed(sum_over_ranks(sums.tolist()))
        written = self._written(is_over)
        if is_over():
            return None
        if self._world.is_rank0:
            made_by = {STEP: step, "attempt": self._attempt, "digest": self._digest}
            self._record(made_by | asdict(found) | {"written": written})
        return found

    def _record(self, row: dict[str, Any]) -> None:
        """Write a row down; on a full disk training goes on, and it waits for the next one."""
        self._unwritten.append(row)
        with suppress(OSError):
            while self._unwritten:
                append_json_line(self._run.measures, self._unwritten[0])
                self._unwritten.pop(0)

    def _prompt(self, probe: Probe) -> list[int]:
        return self._prompt_builder.prompt([Message(role="user", content=probe.question)])

    def _short(self, probes: Sequence[Probe]) -> list[Probe]:
        """Those that leave room for an answer in a row as long as those of training."""
        room = self._config.batch.sequence_length - self._config.eval.max_new_tokens_in_training
        return [probe for probe in probes if len(self._prompt(probe)) <= room]

    def _written(self, is_over: Callable[[], bool]) -> list[dict[str, str]]:
        answers = write_answers(
            self._engine,
            [self._prompt(probe) for probe in self._asked],
            stops=self._prompt_builder.ends(_stops(Path(self._config.model.path))),
            most_tokens=self._config.eval.max_new_tokens_in_training,
            is_over=is_over,
            world=self._world,
        )
        return [
            {
                "kind": probe.kind,
                "question": probe.question,
                "expected": probe.answer,
                "answer": self._tokenizer.decode(ids, skip_special_tokens=True).strip(),
            }
            for probe, ids in zip(self._asked, answers, strict=True)
        ]

    def _on_record(self, *, last_step: int) -> list[dict[str, Any]]:
        """What was measured of these items up to a step, each step once, in their order."""
        if not self._world.is_rank0:
            return []
        rows = {
            row[STEP]: row
            for row in read_json_lines(self._run.measures)
            if row.get("digest") == self._digest and row.get(STEP, -1) in range(last_step + 1)
        }
        return [rows[step] for step in sorted(rows)]

    def _rows(self, samples: Sequence[PackedSequence], *, most_tokens: int) -> list[Batch]:
        """This rank's rows of samples, each loss token with its sample's number for a source."""
        rows: list[list[int]] = []
        room = 0
        for number, sample in enumerate(samples):
            if len(sample.input_ids) > room:
                rows.append([])
                room = most_tokens
            rows[-1].append(number)
            room -= len(sample.input_ids)
        rows += [[]] * (-len(rows) % self._world.size)
        return [
            build_batch([samples[number] for number in row], pad_token_id=PADDING, sources=row)
            for row in rows[self._world.rank :: self._world.size]
        ]


def _inputs(config: RunConfig) -> Inputs:
    try:
        return read_inputs(
            replace(config.eval, lm_eval_tasks=[], num_general_generations=0),
            library=Path(config.library.path),
        )
    except FtdistError as error:
        raise DataError(
            error.problem,
            remedy="put it back as it was, or go on with "
            "`ftdist resume R eval.probes_every_steps=0`.",
        ) from error


def _never() -> bool:
    """The base is measured before there is anything to lose."""
    return False


def _row(found: Weighed, point: Scores) -> dict[str, float]:
    row = {
        metrics.RECALL_RANKED.name: sum(found.ranked) / len(found.ranked),
        metrics.KNOWN_NATS.name: float(point["known"]),
    }
    if found.general:
        row[metrics.GENERAL.name] = sum(found.general) / len(found.general)
    if "general_loss" in point:
        row[metrics.GENERAL_LOSS.name] = point["general_loss"]["tuned"]
        row[metrics.GENERAL_LOSS_ADDED.name] = point["general_loss"]["difference"]
    return row


def _told(base: Weighed, tuned: Weighed, point: Scores) -> str:
    told = []
    for name, before, after in (
        ("known answers", base.ranked, tuned.ranked),
        ("general questions", base.general, tuned.general),
    ):
        if after:
            told.append(f"{name} {sum(after)} of {len(after)} (base {sum(before)})")
    if "general_loss" in point:
        told.append(f"general loss {point['general_loss']['difference']:+.3f} nats")
    return ", ".join(told)


def _weighed(row: dict[str, Any]) -> Weighed:
    losses = [(float(nats), int(tokens)) for nats, tokens in row["losses"]]
    return Weighed(ranked=row["ranked"], known=row["known"], general=row["general"], losses=losses)


def _mixed(probes: Sequence[Probe], count: int) -> list[Probe]:
    """Probes of every kind in turn, of each kind evenly spread ones."""
    kinds: dict[str, list[Probe]] = {}
    for probe in probes:
        kinds.setdefault(probe.kind, []).append(probe)
    each = -(-count // max(1, len(kinds)))
    turns = [evenly_spaced(of_kind, each) for of_kind in kinds.values()]
    mixed = [row[turn] for turn in range(each) for row in turns if turn < len(row)]
    return mixed[:count]


def _stops(folder: Path) -> int | list[int] | None:
    """The tokens with which the model ends what it writes, by its generation_config.json."""
    try:
        told = json.loads((folder / "generation_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    stops: int | list[int] | None = told.get("eos_token_id")
    return stops
