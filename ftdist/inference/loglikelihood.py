"""Log-likelihoods of answers and texts under a model, without generation."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from ftdist.inference.batching import by_length, left_padded, positions

Progress = Callable[[int], None]
"""Called with the number of further questions done."""

MAX_TEXT_TOKENS = 1024
"""Longer texts, and texts longer than the model's context, are truncated."""

MAX_LOGITS = 1 << 26
"""Logits in memory at once: 256 MiB in float32."""


@dataclass(frozen=True, kw_only=True)
class LoglikelihoodScorer:
    """Computes log-likelihoods with a loaded model.

    Attributes:
        model: in evaluation mode.
        tokenizer: of the model.
        pad_id: padding token.
        device: where the model is.
    """

    model: Any
    tokenizer: Any
    pad_id: int
    device: torch.device

    def answer_loglikelihoods(
        self,
        prompts: Sequence[list[int]],
        answers: Sequence[Sequence[list[int]]],
        *,
        batch: int,
        progress: Progress | None = None,
    ) -> list[list[float]]:
        """Summed log-likelihood of each answer after its prompt, in nats.

        Args:
            prompts: token ids of each question, up to where the answer begins.
            answers: per prompt the token ids of the answers to score.
            batch: prompts per batch.
            progress: called after each batch with its number of prompts.
        """
        prefix = _common_prefix(prompts)
        cache = self._prefill(prefix)
        results: list[list[float]] = [[] for _ in prompts]
        for indices in by_length(prompts, batch=batch):
            rests = [prompts[index][len(prefix) :] for index in indices]
            rows = [answers[index] for index in indices]
            for index, sums in zip(indices, self._sums(rests, rows, prefix=cache), strict=True):
                results[index] = sums
            if progress is not None:
                progress(len(indices))
        return results

    def text_losses(
        self, texts: Sequence[str], *, batch: int, progress: Progress | None = None
    ) -> list[tuple[float, int]]:
        """Loss of each text, outside any conversation.

        Args:
            texts: passages, each scored on its own.
            batch: texts per batch.
            progress: called after each batch with its number of texts.

        Returns:
            per text the summed loss in nats, and the number of predicted tokens: all but the first.
        """
        longest = min(
            MAX_TEXT_TOKENS,
            getattr(self.model.config, "max_position_embeddings", MAX_TEXT_TOKENS),
        )
        encoded = [self.tokenizer(text)["input_ids"][:longest] for text in texts]
        losses = [(0.0, 0)] * len(texts)
        for indices in by_length(encoded, batch=batch):
            scored = [index for index in indices if len(encoded[index]) > 1]
            if scored:
                sums = self._row_losses([encoded[index] for index in scored])
                for index, loss in zip(scored, sums, strict=True):
                    losses[index] = loss, len(encoded[index]) - 1
            if progress is not None:
                progress(len(indices))
        return losses

    def _row_losses(self, rows: Sequence[list[int]]) -> list[float]:
        """Summed loss of each row of token ids, in nats."""
        lengths = torch.tensor([len(row) for row in rows], device=self.device)
        width = int(lengths.max())
        ids = torch.tensor(
            [row + [self.pad_id] * (width - len(row)) for row in rows], device=self.device
        )
        mask = (torch.arange(width, device=self.device) < lengths[:, None]).long()
        with torch.inference_mode():
            losses: list[float] = self._losses_after(mask[:, :0], None, ids, mask).tolist()
        return losses

    def _losses_after(
        self,
        before: Int[Tensor, "row known"],
        cache: Any,
        ids: Int[Tensor, "row token"],
        mask: Int[Tensor, "row token"],
    ) -> Float[Tensor, " row"]:
        """Summed loss of each row's tokens but the first, in nats, in float32.

        Rows are processed in chunks with the key-value cache, so the logits of a large vocabulary
        are never in memory for whole rows.

        Args:
            before: mask of the tokens in the cache.
            cache: of earlier tokens, extended here; None: there are none.
            ids: padded on the right.
            mask: 0 on that padding.
        """
        known, (rows, width) = before.shape[1], ids.shape
        full_mask = torch.cat([before, mask], dim=1)
        position_ids = positions(full_mask)[:, known:]
        vocabulary = self.model.get_input_embeddings().weight.shape[0]
        chunk = max(1, MAX_LOGITS // (rows * vocabulary))
        sums = torch.zeros(rows, device=self.device)
        for start in range(0, width - 1, chunk):
            end = min(start + chunk, width - 1)  # the last token predicts nothing
            out = self.model(
                input_ids=ids[:, start:end],
                attention_mask=full_mask[:, : known + end],
                position_ids=position_ids[:, start:end],
                past_key_values=cache,
                use_cache=True,
            )
            cache = out.past_key_values
            sums += _losses(out.logits, ids[:, start + 1 : end + 1], mask[:, start + 1 : end + 1])
        return sums

    def _prefill(self, prefix: list[int]) -> Any:
        """The key-value cache of the prompts' common prefix; None if it is empty."""
        if not prefix:
            return None
        with torch.inference_mode():
            ids = torch.tensor([prefix], device=self.device)
            return self.model(input_ids=ids, use_cache=True, logits_to_keep=1).past_key_values

    def _sums(
        self, rests: Sequence[list[int]], answers: Sequence[Sequence[list[int]]], *, prefix: Any
    ) -> list[list[float]]:
        """Per prompt, the summed log-probability of each of its answers, in nats.

        Each prompt is computed once, and its cache copied for every answer. The same holds for the
        common prefix, which is most of a short question after a system prompt.
        """
        ids, mask = left_padded(rests, pad_id=self.pad_id, device=self.device)
        cache, known = copy.deepcopy(prefix), 0
        if cache is not None:
            known = cache.get_seq_length()
            cache.batch_repeat_interleave(len(rests))
            mask = torch.cat([mask.new_ones(len(rests), known), mask], dim=1)
        with torch.inference_mode():
            prompt = self.model(
                input_ids=ids,
                attention_mask=mask,
                position_ids=positions(mask)[:, known:],
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            )
            # One answer of every question at a time: every row keeps its prompt.
            columns = []
            for turn in range(max(len(row) for row in answers)):
                tails = [row[turn] if turn < len(row) else row[0] for row in answers]
                columns.append(
                    self._tail_sums(prompt.logits[:, -1], prompt.past_key_values, mask, tails)
                )
        return [[columns[turn][n] for turn in range(len(row))] for n, row in enumerate(answers)]

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


def _common_prefix(prompts: Sequence[list[int]]) -> list[int]:
    """The tokens with which all prompts begin, without the last token of any prompt."""
    if not prompts:
        return []
    first, last = min(prompts), max(prompts)  # lexicographic: all others are between them
    longest = min(len(prompt) for prompt in prompts) - 1
    same = takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))
    return [token for token, _ in same][:longest]
