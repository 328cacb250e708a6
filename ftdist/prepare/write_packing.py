"""Write which samples each packed sequence of a source holds, and how many tokens of each kind."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ftdist.data.packing import pack_samples, rows_in_order

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class SampleTokens:
    """Tokens of each sample of a source."""

    lengths: Ints
    loss: Ints
    """Those that are learned."""

    teacher: Ints
    """Those that its teacher reads; 0 without one."""

    @property
    def distilled(self) -> Ints:
        """Those that are learned from a teacher."""
        return np.where(self.teacher > 0, self.loss, 0)


def write_packing(
    folder: Path, part: str, repeats: Ints, tokens: SampleTokens, *, sequence_length: int
) -> int:
    """Pack samples and write the files of `PackedSource`.

    No sequence holds a sample twice.

    Args:
        folder: of the source.
        part: which of `PARTS` they are.
        repeats: how often this part shows each sample; 0: it is of the other part.
        tokens: of all samples.
        sequence_length: maximum tokens of a sequence, and of a row of the teacher.

    Returns:
        the number of sequences.
    """
    order, offsets = _packed(repeats, tokens.lengths, sequence_length=sequence_length)
    starts = offsets[:-1]
    arrays = {
        "samples": order,
        "offsets": offsets,
        "tokens": _sums(tokens.lengths[order], starts),
        "loss_tokens": _sums(tokens.loss[order], starts),
    }
    if tokens.teacher.any():
        read = tokens.teacher[order]
        arrays |= {
            "distilled_tokens": _sums(tokens.distilled[order], starts),
            "teacher_rows": _teacher_rows(read, offsets, room=sequence_length),
        }
    for name, array in arrays.items():
        np.save(folder / f"{part}-{name}.npy", array)
    return len(starts)


def _packed(repeats: Ints, lengths: Ints, *, sequence_length: int) -> tuple[Ints, Ints]:
    """The samples in the order of the sequences, and where each sequence begins and ends."""
    orders, offsets = [], [np.zeros(1, dtype=np.int64)]
    for shown in range(max(1, repeats.max(initial=0))):
        samples = np.flatnonzero(repeats > shown)
        packing = pack_samples(lengths[samples], sequence_length=sequence_length)
        orders.append(samples[packing.samples])
        offsets.append(offsets[-1][-1] + packing.offsets[1:])
    return np.concatenate(orders), np.concatenate(offsets)


def _teacher_rows(lengths: Ints, offsets: Ints, *, room: int) -> Ints:
    """How many rows the teacher reads for each sequence: samples `offsets[s]:offsets[s + 1]`."""
    sequences = np.split(lengths, offsets[1:-1]) if len(lengths) else []
    return np.array([len(rows_in_order(each, room=room)) for each in sequences], dtype=np.int64)


def _sums(values: Ints, starts: Ints) -> Ints:
    """Sums of the runs of `values` that begin at `starts`."""
    return np.add.reduceat(values, starts) if len(starts) else np.empty(0, dtype=np.int64)
