"""Evaluation items as samples of tokens, whose losses give log-likelihoods.

Nothing is generated. Each candidate answer is a sample: the prompt, then the answer's tokens,
whose loss counts; in a general text every token's does. Answers are ranked as `ftdist compare`
ranks them, for fewer questions.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from ftdist.data.collate import Batch, build_rank_batch
from ftdist.data.packing import PackedSequence
from ftdist.data.prompt_builder import PromptBuilder
from ftdist.dist.world import World
from ftdist.evaluation.eval_set import EvalSet
from ftdist.evaluation.probes import Probe
from ftdist.evaluation.scoring.confidence import Paired, paired_losses
from ftdist.evaluation.scoring.distractors import rankings
from ftdist.evaluation.selection import TIE_BREAK, Scores
from ftdist.inference.loglikelihood import MAX_TEXT_TOKENS
from ftdist.io.sampling import evenly_spaced
from ftdist.train.key_tokens import KeyTokens, key_span, rows_of


@dataclass(frozen=True, kw_only=True)
class ItemScores:
    """One model's scores, item by item.

    Attributes:
        ranked: for each question about the library, whether the known answer is the likeliest.
        known: log-likelihood of each known answer, in nats per UTF-8 byte.
        recalled: for each key fact of these answers, whether each of its tokens is the most likely
            one after the question and the known answer up to there.
        general: for each general question, whether the right choice is the likeliest.
        losses: for each general text the summed loss in nats, and its tokens.
    """

    ranked: list[bool]
    known: list[float]
    recalled: list[bool]
    general: list[bool]
    losses: list[tuple[float, int]]

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Self:
        """From a line of evals.jsonl."""
        losses = [(float(nats), int(tokens)) for nats, tokens in row["losses"]]
        names = ("ranked", "known", "recalled", "general")
        return cls(**{name: row[name] for name in names}, losses=losses)


@dataclass(frozen=True)
class _Choice:
    """A question's candidate answers.

    Attributes:
        first: index of the first one's sample; the others' follow it.
        right: index of the right one among them.
        sizes: UTF-8 bytes of each.
    """

    first: int
    right: int
    sizes: tuple[int, ...]


_Question = tuple[str, Sequence[str], int, Sequence[str]]
"""A question, the answers to rank, the index of the right one, and its key facts."""


class EvalItems:
    """Questions and texts as samples.

    Args:
        inputs: the evaluation set.
        tokenizer: of the model, with a chat template.
        system_prompt: put before every question; None: the chat template's own.
        max_items: of library questions, of general questions and of texts each; a larger set is
            subsampled evenly.
        max_tokens: of a sample; questions with a longer one are left out, longer texts truncated.
    """

    def __init__(
        self,
        inputs: EvalSet,
        tokenizer: Any,
        *,
        system_prompt: str | None,
        max_items: int,
        max_tokens: int,
    ) -> None:
        self._tokenizer = tokenizer
        self._prompt_builder = PromptBuilder(tokenizer, system_prompt=system_prompt)
        self._max_tokens = max_tokens
        self.samples: list[PackedSequence] = []
        """In the order in which `scores` takes their losses."""
        probes = evenly_spaced([probe for probe in inputs.probes if probe.is_plain_fact], max_items)
        self.key_tokens = KeyTokens()
        """Of the known answers of the questions about the library."""
        library = [
            (probe.question, ranking.choices, ranking.right, probe.keys)
            for probe, ranking in zip(probes, rankings(inputs.probes, of=probes), strict=True)
            if ranking is not None
        ]
        general = [(item.question, item.choices, item.right_choice, ()) for item in inputs.general]
        self._library = self._questions(library)
        self._general = self._questions(evenly_spaced(general, max_items))
        self._texts = self._passages(evenly_spaced(inputs.texts, max_items))

    @property
    def has_library_questions(self) -> bool:
        """Whether there is any question about the library."""
        return bool(self._library)

    def digest(self) -> str:
        """SHA-256 of the samples, and of which answers are the right ones."""
        layout = (self._library, self._general, self._texts, self.key_tokens.layout())
        digest = hashlib.sha256(repr(layout).encode())
        for sample in self.samples:
            digest.update(sample.input_ids.tobytes())
            digest.update(sample.loss.tobytes())
        return digest.hexdigest()

    def batches(self, world: World, *, max_tokens: int) -> list[Batch]:
        """This rank's (parts of) rows; each loss token's source is its sample's index."""
        lengths = [len(sample.input_ids) for sample in self.samples]
        rows = rows_of(lengths, world=world, max_tokens=max_tokens)
        return [
            build_rank_batch([self.samples[index] for index in row], sources=row, world=world)
            for row in rows[world.data_parallel_rank :: world.data_parallel_size]
        ]

    def scores(self, losses: Sequence[float], hits: Sequence[float]) -> ItemScores:
        """The scores of a model.

        Args:
            losses: summed loss of each sample, in nats.
            hits: for each of the `key_tokens`, 1 if it is the most likely one, else 0.
        """
        return ItemScores(
            ranked=[_is_likeliest(choice, losses) for choice in self._library],
            known=[
                -losses[choice.first + choice.right] / choice.sizes[choice.right]
                for choice in self._library
            ],
            recalled=self.key_tokens.recalled(hits),
            general=[_is_likeliest(choice, losses) for choice in self._general],
            losses=[(losses[index], int(self.samples[index].loss.sum())) for index in self._texts],
        )

    def _questions(self, rows: Sequence[_Question]) -> list[_Choice]:
        choices = []
        for question, answers, right, keys in rows:
            prompt, ends = self._prompt_builder.scored(question, answers)
            if max(len(prompt) + len(end) for end in ends) > self._max_tokens:
                continue
            sizes = tuple(len(answer.encode()) for answer in answers)
            choices.append(_Choice(len(self.samples), right, sizes))
            self.samples += [_sample(prompt + end, loss_tokens=len(end)) for end in ends]
            spans = [key_span(self._tokenizer, ends[right], key) for key in keys]
            self.key_tokens.add(prompt, ends[right], spans)
        return choices

    def _passages(self, texts: Sequence[str]) -> range:
        first = len(self.samples)
        for text in texts:
            ids = self._tokenizer(text)["input_ids"][: min(self._max_tokens, MAX_TEXT_TOKENS)]
            if len(ids) > 1:
                self.samples.append(_sample(ids, loss_tokens=len(ids) - 1))
        return range(first, len(self.samples))


def mix_kinds(probes: Sequence[Probe], count: int) -> list[Probe]:
    """At most `count` probes: the kinds in turn, evenly spaced ones of each kind."""
    kinds: dict[str, list[Probe]] = {}
    for probe in probes:
        kinds.setdefault(probe.kind, []).append(probe)
    each = -(-count // max(1, len(kinds)))
    columns = [evenly_spaced(of_kind, each) for of_kind in kinds.values()]
    mixed = [column[turn] for turn in range(each) for column in columns if turn < len(column)]
    return mixed[:count]


def _sample(ids: Sequence[int], *, loss_tokens: int) -> PackedSequence:
    loss = np.zeros(len(ids), dtype=np.bool_)
    loss[len(ids) - loss_tokens :] = True
    return PackedSequence.of_sample(ids, loss=loss)


def _is_likeliest(choice: _Choice, losses: Sequence[float]) -> bool:
    """Whether the right answer has the lowest loss per byte; of equal ones the first wins."""
    each = [losses[choice.first + n] / size for n, size in enumerate(choice.sizes)]
    return min(range(len(each)), key=lambda n: each[n]) == choice.right


def compare_to_base(base: ItemScores, tuned: ItemScores) -> Scores:
    """What a model knows of the library, and how it differs from the base, for model selection."""
    known = float(np.mean(tuned.known))
    recall = float(np.mean(tuned.recalled)) if tuned.recalled else 0.0
    scores: Scores = {"gain_score": recall, TIE_BREAK: known, "paired": {}}
    for name, before, after in (
        ("fact_accuracy_ranked", base.ranked, tuned.ranked),
        ("fact_recall_greedy", base.recalled, tuned.recalled),
        ("general_mc_accuracy", base.general, tuned.general),
    ):
        if before:
            scores["paired"][name] = Paired.from_outcomes(before, after).fields()
    loss = paired_losses(base.losses, tuned.losses)
    return scores if loss is None else scores | {"general_nll": loss}
