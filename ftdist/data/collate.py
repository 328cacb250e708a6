"""Collate packed sequences into one flattened row of whole samples."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Int32, Int64
from torch import Tensor

from ftdist.data.packing import PackedSequence
from ftdist.data.reference_rows import ReferenceRows
from ftdist.dist.world import World

PAD_TOKEN_ID = 0
"""Fills rows up. Any token will do: no sample attends to it, and it carries no loss."""


PAD_MULTIPLE = 8
"""Rows, and parts of rows, have a multiple of so many tokens: GPU kernels prefer even lengths."""


@dataclass(frozen=True)
class Batch:
    """One micro-batch as a single row of T tokens, in S samples that do not see each other.

    There is no attention mask: `position_ids` restart at each sample, and `cu_seqlens` has its
    borders for attention kernels. Padding at the end is a sample of its own. `loss_positions[k]` is
    the position of the hidden state that predicts `targets[k]`, in the same sample; L of them, none
    for padding. The positions after those of the targets belong to tokens whose target is the
    reference model's distribution. The last `distilled` of the targets have a teacher too.
    """

    input_ids: Int64[Tensor, "1 T"]
    position_ids: Int64[Tensor, "1 T"]
    cu_seqlens: Int32[Tensor, " S_plus_1"]
    """Cumulative lengths of the samples: the start of each, and T."""

    max_seqlen: int
    """Tokens of the longest sample, in host memory: kernels need not wait for the device."""

    loss_positions: Int64[Tensor, " L"]
    targets: Int64[Tensor, " targets"]
    sources: Int64[Tensor, " L"]
    """Index of the source of each loss token."""

    uses_reference: bool
    """Whether the reference model reads the rows of this micro-step, as some rank's `kl_positions`
    need; all ranks then take part."""

    distilled: int = 0
    """Loss tokens whose targets are two: the token, and the teacher's distribution."""

    teacher_rows: tuple["Batch", ...] = ()
    """What the teacher reads: samples with their context, in rows that it reads one after another.

    Their loss positions are those of the distilled tokens, in order. Every rank has equally many.
    """

    reference_rows: ReferenceRows | None = None
    """Which rank keeps or holds the reference's hidden states; None: they are not cached."""

    parts: int = 1
    """How many ranks share the row; above 1, this is one rank's part of it."""

    @property
    def kl_positions(self) -> Int64[Tensor, " K"]:
        """Positions at which the reference model's distribution is the target."""
        return self.loss_positions[len(self.targets) :]

    def part(self, index: int, *, of: int) -> "Batch":
        """One of `of` equal parts of the row: its tokens, and the loss tokens predicted in it.

        Loss tokens have their targets with them, so those at a border need nothing of the next
        part. The borders of samples stay those of the whole row, which attention sees.

        Args:
            index: of the part, counted from 0.
            of: number of parts; divides the tokens of the row.
        """
        if of == 1:
            return self
        tokens, rest = divmod(self.input_ids.shape[1], of)
        assert rest == 0, "rows are padded to a multiple of their parts"
        assert self.parts == 1, "a part has no parts"
        start = index * tokens
        inside = (start <= self.loss_positions) & (self.loss_positions < start + tokens)
        return replace(
            self,
            input_ids=self.input_ids[:, start : start + tokens],
            position_ids=self.position_ids[:, start : start + tokens],
            loss_positions=self.loss_positions[inside] - start,
            targets=self.targets[inside[: len(self.targets)]],
            sources=self.sources[inside],
            parts=of,
        )

    def to(self, device: torch.device) -> "Batch":
        """The same batch on `device`."""
        return self._map(lambda tensor: tensor.to(device, non_blocking=True))

    def pinned(self) -> "Batch":
        """The same batch in page-locked memory, from which copies to a GPU do not block."""
        return self._map(lambda tensor: tensor.pin_memory())

    def _map(self, change: Callable[[Tensor], Tensor]) -> "Batch":
        changed: dict[str, Any] = {
            field.name: change(value)
            for field in fields(self)
            if isinstance(value := getattr(self, field.name), Tensor)
        }
        teacher_rows = tuple(row._map(change) for row in self.teacher_rows)
        return replace(self, **changed, teacher_rows=teacher_rows)


def build_batch(
    sequences: Sequence[PackedSequence],
    *,
    pad_multiple: int = PAD_MULTIPLE,
    sources: Sequence[int] = (),
    kl_sources: Collection[int] = (),
    uses_reference: bool = False,
    reference_rows: ReferenceRows | None = None,
    teacher_rows: Sequence[Batch] = (),
) -> Batch:
    """Concatenate packed sequences into one row, padded to a multiple of `pad_multiple` tokens.

    Args:
        sequences: of one micro-batch; none gives a row of padding without loss.
        pad_multiple: `PAD_MULTIPLE` times the parts that the row is then split into.
        sources: index of the source of each sequence; empty: all come from the first.
        kl_sources: sources for whose loss tokens the reference model's distribution is the target.
        uses_reference: whether any rank has such a token in this micro-step.
        reference_rows: which rank keeps or holds its hidden states.
        teacher_rows: of the distilled samples of the sequences.
    """
    lengths = [int(length) for sequence in sequences for length in sequence.lengths]
    tokens = sum(lengths)
    padding = -tokens % pad_multiple if tokens else pad_multiple
    if padding:
        lengths.append(padding)
    ids, learned = _padded_row(sequences, tokens=tokens, padding=padding)
    borders = np.concatenate([[0], np.cumsum(lengths)])
    learned[borders[:-1]] = False  # nothing in its sample predicts a first token
    target_indices = np.flatnonzero(learned)
    source_of = _token_sources(sequences, sources, padding=padding)[target_indices]
    is_distilled = _distilled_tokens(sequences, padding=padding)[target_indices]
    uses_kl = np.isin(source_of, list(kl_sources))
    order = _loss_order(uses_kl, is_distilled)
    target_indices, source_of = target_indices[order], source_of[order]
    labelled = target_indices[: len(uses_kl) - int(uses_kl.sum())]
    positions = np.arange(len(ids)) - np.repeat(borders[:-1], lengths)
    return Batch(
        input_ids=torch.from_numpy(ids)[None],
        position_ids=torch.from_numpy(positions)[None],
        cu_seqlens=torch.from_numpy(borders.astype(np.int32)),
        max_seqlen=max(lengths),
        loss_positions=torch.from_numpy(target_indices - 1),
        targets=torch.from_numpy(ids[labelled]),
        sources=torch.from_numpy(source_of),
        uses_reference=uses_reference,
        distilled=int(is_distilled.sum()),
        reference_rows=reference_rows,
        teacher_rows=tuple(teacher_rows),
    )


def _padded_row(
    sequences: Sequence[PackedSequence], *, tokens: int, padding: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Each token's id, and whether it is learned, with padding behind the sequences' tokens."""
    ids = np.full(tokens + padding, PAD_TOKEN_ID, dtype=np.int64)
    learned = np.zeros(tokens + padding, dtype=np.bool_)
    if sequences:
        ids[:tokens] = np.concatenate([sequence.input_ids for sequence in sequences])
        learned[:tokens] = np.concatenate([sequence.loss for sequence in sequences])
    return ids, learned


def _loss_order(
    uses_kl: npt.NDArray[np.bool_], is_distilled: npt.NDArray[np.bool_]
) -> npt.NDArray[np.int64]:
    """Order of the learned tokens: cross-entropy targets first, distilled ones last of these."""
    return np.argsort(np.where(uses_kl, 2, is_distilled), kind="stable")


def _distilled_tokens(
    sequences: Sequence[PackedSequence], *, padding: int
) -> npt.NDArray[np.bool_]:
    """Whether each token of a row is of a sample that has a teacher."""
    masks = [
        np.zeros(len(sequence.input_ids), dtype=np.bool_)
        if sequence.distilled is None
        else np.repeat(sequence.distilled, sequence.lengths)
        for sequence in sequences
    ]
    return np.concatenate([*masks, np.zeros(padding, dtype=np.bool_)])


def _token_sources(
    sequences: Sequence[PackedSequence], sources: Sequence[int], *, padding: int
) -> npt.NDArray[np.int64]:
    """Index of the source of each token of a row; 0 for padding."""
    numbers = list(sources) or [0] * len(sequences)
    sizes = [len(sequence.input_ids) for sequence in sequences]
    return np.repeat(np.array([*numbers, 0]), [*sizes, padding])


def build_rank_batch(
    sequences: Sequence[PackedSequence],
    *,
    world: World,
    sources: Sequence[int],
    kl_sources: Collection[int] = (),
    uses_reference: bool = False,
    reference_rows: ReferenceRows | None = None,
    teacher_rows: Sequence[Batch] = (),
) -> Batch:
    """This rank's part of the row of `build_batch`: all of it, unless ranks share their rows."""
    row = build_batch(
        sequences,
        pad_multiple=PAD_MULTIPLE * world.sequence_parallel_size,
        sources=sources,
        kl_sources=kl_sources,
        uses_reference=uses_reference,
        reference_rows=reference_rows,
        teacher_rows=teacher_rows,
    )
    return row.part(world.sequence_parallel_rank, of=world.sequence_parallel_size)


def build_teacher_rows(
    sequences: Sequence[PackedSequence], *, rows: int, together: int
) -> list[Batch]:
    """What the teacher reads for a micro-batch.

    Args:
        sequences: of the micro-batch.
        rows: how many every rank reads; those that this one does not need are padding.
        together: sequences that the teacher reads in one row.
    """
    read = [row for sequence in sequences for row in sequence.teacher_rows]
    assert len(read) <= rows * together, "every rank reads as many rows as the one with the most"
    return [build_batch(read[n * together : (n + 1) * together]) for n in range(rows)]
