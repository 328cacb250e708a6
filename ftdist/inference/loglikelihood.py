"""How likely a model finds answers and texts: nothing is generated."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from ftdist.data.prompt_builder import PromptBuilder
from ftdist.inference.batching import by_length, left_padded, positions

Progress = Callable[[int], None]
"""Told how many more questions are done."""

MAX_TEXT_TOKENS = 1024
"""Of a longer text, or one longer than the model's context, the beginning is read."""

MAX_LOGITS = 1 << 26
"""Logits that stand at once while answers and texts are weighed: 256 MiB in float32."""


@dataclass(frozen=True, kw_only=True)
class Likelihoods:
    """A loaded model that weighs answers and texts.

    Attributes:
        model: in evaluation mode.
        tokenizer: of the model.
        prompter: writes the answers that are weighed.
        pad_id: token that fills rows up.
        device: where the model is.
    """

    model: Any
    tokenizer: Any
    prompt_builder: PromptBuilder
    pad_id: int
    device: torch.device

    def rank(
        self,
        prompts: Sequence[list[int]],
        choices: Sequence[Sequence[str]],
        *,
        batch: int,
        progress: Progress | None = None,
    ) -> list[list[float]]:
        """How likely the model finds each choice as its answer, in nats a UTF-8 byte.

        The sum of the log-probabilities of the choice's tokens, divided by the choice's length,
        so that a short choice has no advantage; bytes, since they do not depend on the tokenizer.

        Args:
            prompts: token ids of each question, up to where the answer begins.
            choices: for each prompt the answers to weigh.
            batch: prompts weighed at once.
            progress: told after each batch how many prompts it held.
        """
        beginning = _common_beginning(prompts)
        cache = self._read(beginning)
        ranked: list[list[float]] = [[] for _ in prompts]
        for places in by_length(prompts, batch=batch):
            rests = [prompts[place][len(beginning) :] for place in places]
            rows = [choices[place] for place in places]
            for place, sums in zip(places, self._sums(rests, rows, beginning=cache), strict=True):
                lengths = [len(choice.encode()) for choice in choices[place]]
                ranked[place] = [s / n for s, n in zip(sums, lengths, strict=True)]
            if progress is not None:
                progress(len(places))
        return ranked

    def losses(
        self, texts: Sequence[str], *, batch: int, progress: Progress | None = None
    ) -> list[tuple[float, int]]:
        """How well the model foresees each text, outside any conversation.

        Args:
            texts: passages, each read on its own.
            batch: texts read at once.
            progress: told after each batch how many texts it held.

        Returns:
            For each text the summed loss in nats, and the number of tokens it is a sum over: all
            but the first.
        """
        longest = min(
            MAX_TEXT_TOKENS,
            getattr(self.model.config, "max_position_embeddings", MAX_TEXT_TOKENS),
        )
        encoded = [self.tokenizer(text)["input_ids"][:longest] for text in texts]
        losses = [(0.0, 0)] * len(texts)
        for places in by_length(encoded, batch=batch):
            read = [place for place in places if len(encoded[place]) > 1]
            if read:
                sums = self._text_losses([encoded[place] for place in read])
                for place, loss in zip(read, sums, strict=True):
                    losses[place] = loss, len(encoded[place]) - 1
            if progress is not None:
                progress(len(places))
        return losses

    def _text_losses(self, rows: Sequence[list[int]]) -> list[float]:
        """Summed loss of each row of token ids, in nats."""
        lengths = torch.tensor([len(row) for row in rows], device=self.device)
        width = int(lengths.max())
        ids = torch.tensor(
            [row + [self.pad_id] * (width - len(row)) for row in rows], device=self.device
        )
        mask = (torch.arange(width, device=self.device) < lengths[:, None]).long()
        with torch.inference_mode():
            found: list[float] = self._losses_after(mask[:, :0], None, ids, mask).tolist()
        return found

    def _losses_after(
        self,
        before: Int[Tensor, "row known"],
        cache: Any,
        ids: Int[Tensor, "row token"],
        mask: Int[Tensor, "row token"],
    ) -> Float[Tensor, " row"]:
        """Summed loss of each row's tokens but the first, in nats, in float32.

        Rows are read piece by piece with the key-value cache: the logits of a large vocabulary
        never stand for whole rows.

        Args:
            before: mask of what was read.
            cache: of what was read, which grows here; None: nothing was.
            ids: padded on the right.
            mask: 0 on that padding.
        """
        known, (rows, width) = before.shape[1], ids.shape
        full_mask = torch.cat([before, mask], dim=1)
        places = positions(full_mask)[:, known:]
        vocabulary = self.model.get_input_embeddings().weight.shape[0]
        piece = max(1, MAX_LOGITS // (rows * vocabulary))
        sums = torch.zeros(rows, device=self.device)
        for start in range(0, width - 1, piece):
            end = min(start + piece, width - 1)  # what follows the last token is not asked
            out = self.model(
                input_ids=ids[:, start:end],
                attention_mask=full_mask[:, : known + end],
                position_ids=places[:, start:end],
                past_key_values=cache,
                use_cache=True,
            )
            cache = out.past_key_values
            sums += _losses(out.logits, ids[:, start + 1 : end + 1], mask[:, start + 1 : end + 1])
        return sums

    def _read(self, beginning: list[int]) -> Any:
        """The key-value cache of tokens with which every prompt begins; None for no token."""
        if not beginning:
            return None
        with torch.inference_mode():
            ids = torch.tensor([beginning], device=self.device)
            return self.model(input_ids=ids, use_cache=True, logits_to_keep=1).past_key_values

    def _sums(
        self, rests: Sequence[list[int]], choices: Sequence[Sequence[str]], *, beginning: Any
    ) -> list[list[float]]:
        """For each prompt, the summed log-probability of each of its choices, in nats.

        Prompts are computed once; their cache is then repeated for every choice. So is that of
        their common beginning, which is most of a short question behind a system prompt.
        """
        ids, mask = left_padded(rests, pad_id=self.pad_id, device=self.device)
        cache, known = copy.deepcopy(beginning), 0
        if cache is not None:
            known = cache.get_seq_length()
            cache.batch_repeat_interleave(len(rests))
            mask = torch.cat([mask.new_ones(len(rests), known), mask], dim=1)
        encoded = [[self.prompt_builder.answer(choice) for choice in row] for row in choices]
        with torch.inference_mode():
            prefix = self.model(
                input_ids=ids,
                attention_mask=mask,
                position_ids=positions(mask)[:, known:],
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            )
            # Choice by choice of all questions at once: every row has the same prompt as before.
            columns = []
            for turn in range(max(len(row) for row in encoded)):
                tails = [row[turn] if turn < len(row) else row[0] for row in encoded]
                columns.append(
                    self._tail_sums(prefix.logits[:, -1], prefix.past_key_values, mask, tails)
                )
        return [[columns[turn][n] for turn in range(len(row))] for n, row in enumerate(encoded)]

    def _tail_sums(
        self,
        first_logits: Float[Tensor, "question vocab"],
        cache: Any,
        mask: Int[Tensor, "question token"],
        tails: Sequence[list[int]],
    ) -> list[float]:
        """Summed log-probability of one tail after each prompt, in nats."""
        longest = max(len(tail) for tail in tails)
        targets = torch.tensor(
            [tail + [self.pad_id] * (longest - len(tail)) for tail in tails], device=self.device
        )
        real = torch.tensor(
            [[1] * len(tail) + [0] * (longest - len(tail)) for tail in tails], device=self.device
        )
        losses = _losses(first_logits[:, None], targets[:, :1], real[:, :1])
        if longest > 1:
            losses += self._losses_after(mask, copy.deepcopy(cache), targets, real)
        sums: list[float] = (-losses).tolist()
        return sums


def _losses(
    logits: Float[Tensor, "row token vocab"],
    targets: Int[Tensor, "row token"],
    real: Int[Tensor, "row token"],
) -> Float[Tensor, " row"]:
    """Summed loss of each row's real tokens, in nats, in float32."""
    losses = functional.cross_entropy(logits.float().transpose(1, 2), targets, reduction="none")
    return (losses * real).sum(dim=1)


def _common_beginning(prompts: Sequence[list[int]]) -> list[int]:
    """The tokens with which all prompts begin; each keeps at least its last token beside them."""
    if not prompts:
        return []
    first, last = min(prompts), max(prompts)  # by tokens: all others lie between them
    most = min(len(prompt) for prompt in prompts) - 1
    same = takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))
    return [token for token, _ in same][:most]
