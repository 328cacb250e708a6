"""What a model is asked while it learns: samples of tokens whose losses tell what it knows.

Nothing is generated. An answer to choose is a sample of its own: the prompt, then the answer's
tokens, whose loss is counted; of a general text every token's is. Where `ftdist compare` ranks
answers, the same answers are ranked here in the same way, for fewer questions.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ftdist.data.messages import Message
from ftdist.data.packed_dataset import PackedSequence
from ftdist.data.prompt_builder import PromptBuilder
from ftdist.evaluation.eval_set import Inputs
from ftdist.evaluation.scoring.confidence import Paired, paired_losses
from ftdist.evaluation.scoring.distractors import rankings
from ftdist.evaluation.selection import Scores
from ftdist.inference.loglikelihood import MAX_TEXT_TOKENS
from ftdist.io.sampling import evenly_spaced


@dataclass(frozen=True, kw_only=True)
class Weighed:
    """What one model's losses say.

    Attributes:
        ranked: for each question about the library, whether the known answer is the likeliest.
        known: log-likelihood of each known answer, in nats a UTF-8 byte.
        general: for each general question, whether the right choice is the likeliest.
        losses: for each general text the summed loss in nats, and its tokens.
    """

    ranked: list[bool]
    known: list[float]
    general: list[bool]
    losses: list[tuple[float, int]]


@dataclass(frozen=True)
class _Choice:
    """A question's answers.

    Attributes:
        first: place of the first one's sample; the others' come after it.
        right: place among them of the right one.
        sizes: UTF-8 bytes of each.
    """

    first: int
    right: int
    sizes: tuple[int, ...]


class Items:
    """Questions and texts as samples.

    Args:
        inputs: what a comparison asks.
        tokenizer: of the model, with a chat template.
        system_prompt: put before every question; None: as the chat template does by itself.
        most: questions about the library, general questions and texts; of more, evenly spread ones.
        longest: tokens of a sample; a question with a longer one is left out, of a longer text the
            beginning is read.
    """

    def __init__(
        self,
        inputs: Inputs,
        tokenizer: Any,
        *,
        system_prompt: str | None,
        most: int,
        longest: int,
    ) -> None:
        self._tokenizer = tokenizer
        self._prompt_builder = PromptBuilder(tokenizer, system_prompt=system_prompt)
        self._longest = longest
        self.samples: list[PackedSequence] = []
        """One sample each, in the order of which `weighed` takes their losses."""
        probes = evenly_spaced([probe for probe in inputs.probes if probe.kind == "fact"], most)
        recall = [
            (probe.question, ranking.choices, ranking.right)
            for probe, ranking in zip(probes, rankings(inputs.probes, of=probes), strict=True)
            if ranking is not None
        ]
        general = [(item.question, item.choices, item.right_choice) for item in inputs.general]
        self._recall = self._questions(recall)
        self._general = self._questions(evenly_spaced(general, most))
        self._texts = self._passages(evenly_spaced(inputs.texts, most))

    @property
    def asks_library(self) -> bool:
        """Whether anything about the library is asked."""
        return bool(self._recall)

    def digest(self) -> str:
        """Another one for other samples, or for other right answers among them; sha256."""
        digest = hashlib.sha256(repr((self._recall, self._general, self._texts)).encode())
        for sample in self.samples:
            digest.update(sample.input_ids.tobytes())
            digest.update(sample.loss.tobytes())
        return digest.hexdigest()

    def weighed(self, losses: Sequence[float]) -> Weighed:
        """What the summed loss of each sample says, in nats."""
        return Weighed(
            ranked=[_is_likeliest(choice, losses) for choice in self._recall],
            known=[
                -losses[choice.first + choice.right] / choice.sizes[choice.right]
                for choice in self._recall
            ],
            general=[_is_likeliest(choice, losses) for choice in self._general],
            losses=[(losses[place], int(self.samples[place].loss.sum())) for place in self._texts],
        )

    def _questions(self, rows: Sequence[tuple[str, Sequence[str], int]]) -> list[_Choice]:
        found = []
        for question, answers, right in rows:
            prompt = self._prompt_builder.prompt([Message(role="user", content=question)])
            ends = [self._prompt_builder.answer(answer) for answer in answers]
            if max(len(prompt) + len(end) for end in ends) > self._longest:
                continue
            sizes = tuple(len(answer.encode()) for answer in answers)
            found.append(_Choice(len(self.samples), right, sizes))
            self.samples += [_sample(prompt + end, learned=len(end)) for end in ends]
        return found

    def _passages(self, texts: Sequence[str]) -> range:
        first = len(self.samples)
        for text in texts:
            ids = self._tokenizer(text)["input_ids"][: min(self._longest, MAX_TEXT_TOKENS)]
            if len(ids) > 1:
                self.samples.append(_sample(ids, learned=len(ids) - 1))
        return range(first, len(self.samples))


def _sample(ids: Sequence[int], *, learned: int) -> PackedSequence:
    loss = np.zeros(len(ids), dtype=np.bool_)
    loss[len(ids) - learned :] = True
    return PackedSequence(
        input_ids=np.array(ids, dtype=np.uint32), loss=loss, lengths=np.array([len(ids)])
    )


def _is_likeliest(choice: _Choice, losses: Sequence[float]) -> bool:
    """Whether the right answer has the least loss a byte; of equal ones the first has."""
    each = [losses[choice.first + n] / size for n, size in enumerate(choice.sizes)]
    return min(range(len(each)), key=lambda n: each[n]) == choice.right


def against(base: Weighed, tuned: Weighed) -> Scores:
    """What a model knows of the library, and the differences to the base: a point of a frontier."""
    scores: Scores = {"known": float(np.mean(tuned.known)), "paired": {}}
    for name in ("ranked", "general"):
        before, after = getattr(base, name), getattr(tuned, name)
        if before:
            scores["paired"][name] = Paired.of(before, after).fields()
    loss = paired_losses(base.losses, tuned.losses)
    return scores if loss is None else scores | {"general_loss": loss}
