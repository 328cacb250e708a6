"""Which tokens of a known answer write its key facts, and whether a model would write them.

By teacher forcing: after the question and the known answer up to a token, is that token the most
likely one? If so for each token of a key fact, greedy decoding that has written the known answer
up to there writes the fact.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from ftdist.data.collate import PAD_MULTIPLE, Batch, build_batch
from ftdist.data.packing import PackedSequence
from ftdist.dist.world import World
from ftdist.text.matching import contains_words, ngrams, words

_TOKENS_OF_A_WORD = 4
"""Further tokens within which a word or number goes on that looks like a key."""


def key_span(tokenizer: Any, answer: Sequence[int], key: str) -> range:
    """The tokens with which an answer first states a key; none if it does not.

    Args:
        tokenizer: of the model.
        answer: token ids.
        key: words, matched as in a comparison: "four years" is in "4 years".
    """

    def text(first: int, end: int) -> str:
        decoded: str = tokenizer.decode(answer[first:end], skip_special_tokens=True)
        return decoded

    def literally(first: int, end: int) -> bool:
        return words(key) in ngrams(words(text(first, end)), sizes=[len(words(key))])

    def as_variant(first: int, end: int) -> bool:
        return contains_words(text(first, end), key)

    # Literally, if possible: for "9 seconds" its variant "9 second" would do.
    holds = literally if literally(0, len(answer)) else as_variant
    if not holds(0, len(answer)):
        return range(0)
    # Bisection: as long as an answer is, few prefixes are decoded.
    below, end = 0, len(answer)
    while end - below > 1:
        middle = (below + end) // 2
        # "12" is in "120 or 12" with two tokens of "120", but not with the token after them.
        ends = range(middle, min(middle + _TOKENS_OF_A_WORD, len(answer)) + 1)
        if all(holds(0, each) for each in ends):
            end = middle
        else:
            below = middle
    first = end - 1
    while not holds(first, end):
        first -= 1
    return range(first, end)


@dataclass(frozen=True)
class _KnownAnswer:
    """A question with its known answer, of which only the tokens of keys are predicted."""

    sample: PackedSequence
    first: int
    """Index of its first predicted token among those of all answers."""


class KeyTokens:
    """The key facts of known answers, as tokens to predict."""

    def __init__(self) -> None:
        self._answers: list[_KnownAnswer] = []
        self._keys: list[tuple[int, ...]] = []
        self.count = 0
        """Tokens to predict, over all answers."""

    def add(self, prompt: Sequence[int], answer: Sequence[int], spans: Sequence[range]) -> None:
        """Add a known answer.

        Args:
            prompt: token ids up to the answer.
            answer: token ids of the known answer.
            spans: of each key, its tokens in the answer; empty ones do not count.
        """
        ids = [*prompt, *answer]
        predicted = sorted({token for span in spans for token in span})
        if not predicted:
            return
        loss = np.zeros(len(ids), dtype=np.bool_)
        loss[[len(prompt) + token for token in predicted]] = True
        index = {token: self.count + n for n, token in enumerate(predicted)}
        self._answers.append(
            _KnownAnswer(PackedSequence.of_sample(ids, loss=loss), first=self.count)
        )
        self._keys += [tuple(index[token] for token in span) for span in spans if span]
        self.count += len(predicted)

    def batches(self, world: World, *, max_tokens: int) -> list[Batch]:
        """This rank's (parts of) rows; each loss token's source is its index among all."""
        lengths = [len(answer.sample.input_ids) for answer in self._answers]
        rows = rows_of(lengths, world=world, max_tokens=max_tokens)
        return [
            self._batch([self._answers[index] for index in row], world=world)
            for row in rows[world.data_parallel_rank :: world.data_parallel_size]
        ]

    def _batch(self, answers: Sequence[_KnownAnswer], *, world: World) -> Batch:
        parts = world.sequence_parallel_size
        row = build_batch([each.sample for each in answers], pad_multiple=PAD_MULTIPLE * parts)
        tokens = [each.first + n for each in answers for n in range(int(each.sample.loss.sum()))]
        numbered = replace(row, sources=torch.tensor(tokens, dtype=torch.int64))
        return numbered.part(world.sequence_parallel_rank, of=parts)

    def recalled(self, hits: Sequence[float]) -> list[bool]:
        """For each key, whether all of its tokens are the most likely ones.

        Args:
            hits: 1 or 0 for each predicted token.
        """
        return [all(hits[token] > 0 for token in key) for key in self._keys]

    def layout(self) -> list[tuple[int, ...]]:
        """The tokens of each key, for a digest."""
        return list(self._keys)


def rows_of(lengths: Sequence[int], *, world: World, max_tokens: int) -> list[list[int]]:
    """Samples in rows of at most `max_tokens`, in order; equally many rows for each rank.

    Args:
        lengths: tokens of each sample.
        world: some rows are empty so that its data-parallel ranks share them equally.
        max_tokens: of a row; no sample is longer.
    """
    rows: list[list[int]] = []
    room = 0
    for index, length in enumerate(lengths):
        if length > room:
            rows.append([])
            room = max_tokens
        rows[-1].append(index)
        room -= length
    return rows + [[]] * (-len(rows) % world.data_parallel_size)
