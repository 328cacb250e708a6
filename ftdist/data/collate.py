"""Collate packed sequences into one flattened row of whole samples."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Int32, Int64
from torch import Tensor

from ftdist.data.packed_dataset import PackedSequence


@dataclass(frozen=True)
class Batch:
    """One micro-batch as a single row of T tokens, in S samples that do not see each other.

    There is no attention mask: `position_ids` restart at each sample and `cu_lengths` holds the
    samples' borders. Padding at the end is a sample of its own. `loss_positions[k]` is the position
    of the hidden state that predicts `targets[k]`, in the same sample; L of them, none for padding.
    The positions after those of the targets belong to tokens whose target is the base model's
    distribution.
    """

    input_ids: Int64[Tensor, "1 T"]
    position_ids: Int64[Tensor, "1 T"]
    loss_positions: Int64[Tensor, " L"]
    targets: Int64[Tensor, " targets"]
    sources: Int64[Tensor, " L"]
    """Index of the source of each loss token."""

    cu_lengths: Int32[Tensor, " borders"]
    max_length: int
    asks_base: bool
    """Whether any rank needs the base model in this micro-step; all ranks then take part."""

    @property
    def base_positions(self) -> Int64[Tensor, " K"]:
        """Positions at which the base model's distribution is the target."""
        return self.loss_positions[len(self.targets) :]

    def to(self, device: torch.device) -> "Batch":
        """The same batch on `device`."""
        return replace(
            self,
            input_ids=self.input_ids.to(device, non_blocking=True),
            position_ids=self.position_ids.to(device, non_blocking=True),
            loss_positions=self.loss_positions.to(device, non_blocking=True),
            targets=self.targets.to(device, non_blocking=True),
            sources=self.sources.to(device, non_blocking=True),
            cu_lengths=self.cu_lengths.to(device, non_blocking=True),
        )


def build_batch(
    sequences: Sequence[PackedSequence],
    *,
    pad_token_id: int,
    pad_multiple: int = 8,
    sources: Sequence[int] = (),
    kl_to_base: Collection[int] = (),
    asks_base: bool = False,
) -> Batch:
    """Concatenate packed sequences into one row, padded to a multiple of `pad_multiple` tokens.

    Args:
        sequences: of one micro-batch; none gives a row of padding without loss.
        pad_token_id: fills the end of the row; never a target.
        pad_multiple: even row lengths suit GPU kernels.
        sources: index of the source of each sequence; empty: all come from the first.
        kl_to_base: sources for whose loss tokens the base model's distribution is the target.
        asks_base: whether any rank needs the base model in this micro-step.
    """
    lengths = [int(length) for sequence in sequences for length in sequence.lengths]
    tokens = sum(lengths)
    padding = -tokens % pad_multiple if tokens else pad_multiple
    if padding:
        lengths.append(padding)
    ids = np.full(tokens + padding, pad_token_id, dtype=np.int64)
    learned = np.zeros(tokens + padding, dtype=np.bool_)
    if sequences:
        ids[:tokens] = np.concatenate([sequence.input_ids for sequence in sequences])
        learned[:tokens] = np.concatenate([sequence.loss for sequence in sequences])
    borders = np.concatenate([[0], np.cumsum(lengths)])
    learned[borders[:-1]] = False  # nothing in its sample predicts a first token
    target_indices = np.flatnonzero(learned)
    numbers = list(sources) or [0] * len(sequences)
    sizes = [len(sequence.input_ids) for sequence in sequences]
    source_of = np.repeat(np.array([*numbers, 0]), [*sizes, padding])[target_indices]
    uses_kl = np.isin(source_of, list(kl_to_base))
    order = np.argsort(uses_kl, kind="stable")  # cross-entropy targets first
    target_indices, source_of = target_indices[order], source_of[order]
    labelled = target_indices[: len(uses_kl) - int(uses_kl.sum())]
    positions = np.arange(len(ids)) - np.repeat(borders[:-1], lengths)
    return Batch(
        input_ids=torch.from_numpy(ids)[None],
        position_ids=torch.from_numpy(positions)[None],
        loss_positions=torch.from_numpy(target_indices - 1),
        targets=torch.from_numpy(ids[labelled]),
        sources=torch.from_numpy(source_of),
        cu_lengths=torch.from_numpy(borders.astype(np.int32)),
        max_length=max(lengths),
        asks_base=asks_base,
    )
