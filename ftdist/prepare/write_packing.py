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
    folder: Path, part: str, samples: Ints, tokens: SampleTokens, *, sequence_length: int
) -> int:
    """Pack samples and write the files of `PackedSource`.

    Args:
        folder: of the source.
        part: which of `PARTS` they are.
        samples: indices of the samples of this part.
        tokens: of all samples.
        sequence_length: maximum tokens of a sequence, and of a row of the teacher.

    Returns:
        the number of sequences.
    """
    packing = pack_samples(tokens.lengths[samples], sequence_length=sequence_length)
    order, starts = samples[packing.samples], packing.offsets[:-1]
    arrays = {
        "samples": order,
        "offsets": packing.offsets,
        "tokens": _sums(tokens.lengths[order], starts),
        "loss_tokens": _sums(tokens.loss[order], starts),
    }
    if tokens.teacher.any():
        read = tokens.teacher[order]
        arrays |= {
            "distilled_tokens": _sums(tokens.distilled[order], starts),
            "teacher_rows": _teacher_rows(read, packing.offsets, room=sequence_length),
        }
    for name, array in arrays.items():
        np.save(folder / f"{part}-{name}.npy", array)
    return len(packing)


def _teacher_rows(lengths: Ints, offsets: Ints, *, room: int) -> Ints:
    """How many rows the teacher reads for each sequence: samples `offsets[s]:offsets[s + 1]`."""
    sequences = np.split(lengths, offsets[1:-1]) if len(lengths) else []
    return np.array([len(rows_in_order(each, room=room)) for each in sequences], dtype=np.int64)


def _sums(values: Ints, starts: Ints) -> Ints:
    """Sums of the runs of `values` that begin at `starts`."""
    return np.add.reduceat(values, starts) if len(starts) else np.empty(0, dtype=np.int64)
