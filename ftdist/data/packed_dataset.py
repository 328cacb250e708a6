"""The packed dataset on disk, memory-mapped and read-only.

CACHE/KEY/  card.json           its inputs and counts
            source-000/         the library; source-001 onwards: further sources
                ids.bin             uint32, token ids of all samples in the order of reading
                loss.bin            uint8, the loss mask: 1 for tokens with loss
                offsets.npy         int64, sample -> first token
                train-*.npy         samples of each sequence, and loss tokens of each sequence
                held_out-*.npy      the same for held-out samples
            and of a source with samples that have a teacher:
                teacher_ids.bin     uint32, what the teacher reads for each of them
                teacher_offsets.npy int64, sample -> its first token there
                *-distilled_tokens.npy, *-teacher_rows.npy: loss tokens with a teacher, and rows
                                    that the teacher reads, of each sequence
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ftdist.data.packing import PackedSequence, Packing, rows_in_order
from ftdist.errors import StorageError
from ftdist.plan.dataset_info import PackedDatasetInfo

CARD = "card.json"
IDS = "ids.bin"
LOSS = "loss.bin"
OFFSETS = "offsets.npy"
TEACHER_IDS = "teacher_ids.bin"
TEACHER_OFFSETS = "teacher_offsets.npy"
PARTS = ("train", "held_out")


class PackedSource:
    """The packed sequences of one source's training or held-out part."""

    def __init__(self, folder: Path, *, part: str) -> None:
        self._ids = _map(folder / IDS, dtype=np.uint32)
        self._loss = _map(folder / LOSS, dtype=np.uint8)
        self._offsets = np.load(folder / OFFSETS, mmap_mode="r")
        self._packing = Packing(
            samples=np.load(folder / f"{part}-samples.npy", mmap_mode="r"),
            offsets=np.load(folder / f"{part}-offsets.npy", mmap_mode="r"),
        )
        self.loss_tokens: npt.NDArray[np.int64] = np.load(folder / f"{part}-loss_tokens.npy")
        """Loss tokens of each sequence."""
        self.tokens: npt.NDArray[np.int64] = np.load(folder / f"{part}-tokens.npy")
        """Tokens of each sequence, padding not counted."""
        if len(self._ids) != len(self._loss) or len(self._ids) != int(self._offsets[-1]):
            raise ValueError(f"{folder}: {len(self._ids)} ids, {int(self._offsets[-1])} expected")
        self.distilled_tokens = self.teacher_rows = np.zeros(len(self), dtype=np.int64)
        """Loss tokens with a teacher, and rows that it reads, of each sequence."""
        if (folder / TEACHER_OFFSETS).is_file():
            self._open_teacher(folder, part)

    def _open_teacher(self, folder: Path, part: str) -> None:
        self._teacher_ids = _map(folder / TEACHER_IDS, dtype=np.uint32)
        self._teacher_offsets = np.load(folder / TEACHER_OFFSETS, mmap_mode="r")
        self.distilled_tokens = np.load(folder / f"{part}-distilled_tokens.npy")
        self.teacher_rows = np.load(folder / f"{part}-teacher_rows.npy")
        found, expected = len(self._teacher_ids), int(self._teacher_offsets[-1])
        if found != expected:
            raise ValueError(f"{folder}: {found} ids of the teacher, {expected} expected")

    def __len__(self) -> int:
        """The number of sequences."""
        return len(self._packing)

    def samples(self, index: int) -> list[int]:
        """The samples of sequence `index`, numbered from 0 in the order of reading."""
        first, end = self._packing.offsets[index : index + 2]
        numbers: list[int] = self._packing.samples[first:end].tolist()
        return numbers

    def sequence(self, index: int, *, room: int = 0) -> PackedSequence:
        """Sequence `index`, read from disk.

        Args:
            index: of the sequence.
            room: maximum tokens of a row of its teacher; 0: without a teacher.
        """
        first, end = self._packing.offsets[index : index + 2]
        samples = self._packing.samples[first:end]
        spans = [slice(self._offsets[sample], self._offsets[sample + 1]) for sample in samples]
        sequence = PackedSequence(
            input_ids=np.concatenate([self._ids[span] for span in spans]),
            loss=np.concatenate([self._loss[span] for span in spans]).astype(np.bool_),
            lengths=np.array([span.stop - span.start for span in spans], dtype=np.int64),
        )
        if not room or not self.teacher_rows[index]:
            return sequence
        read = self._teacher_offsets[samples + 1] - self._teacher_offsets[samples]
        return replace(
            sequence,
            distilled=read > 0,
            teacher_rows=tuple(
                self._teacher_row(samples[row]) for row in rows_in_order(read, room=room)
            ),
        )

    def _teacher_row(self, samples: npt.NDArray[np.int64]) -> PackedSequence:
        """Samples as their teacher reads them."""
        ids, masks = [], []
        for sample in samples.tolist():
            read = self._teacher_ids[slice(*self._teacher_offsets[sample : sample + 2])]
            loss = self._loss[slice(*self._offsets[sample : sample + 2])]
            learned = len(loss) - int(np.argmax(loss))
            mask = np.zeros(len(read), dtype=np.bool_)
            mask[-learned:] = loss[-learned:]
            ids.append(read)
            masks.append(mask)
        return PackedSequence(
            input_ids=np.concatenate(ids),
            loss=np.concatenate(masks),
            lengths=np.array([len(mask) for mask in masks], dtype=np.int64),
        )


@dataclass(frozen=True)
class PackedLibrary:
    """A packed library and its further sources, with one entry per source in each part."""

    folder: Path
    facts: PackedDatasetInfo
    """Its counts. All weights are 1 here; the weights of a run are in its plan."""
    card: dict[str, Any]
    train: tuple[PackedSource, ...]
    held_out: tuple[PackedSource, ...]

    @classmethod
    def open(cls, folder: Path) -> "PackedLibrary":
        """Memory-map a packed library; only its counts are read.

        Raises:
            StorageError: it does not exist or is incomplete.
        """
        try:
            card = json.loads((folder / CARD).read_text(encoding="utf-8"))
            facts = PackedDatasetInfo.from_values({**card["facts"], "path": str(folder)})
            folders = [folder / source_folder(number) for number in range(len(facts.sources))]
            train, held_out = (
                tuple(PackedSource(source, part=part) for source in folders) for part in PARTS
            )
        except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
            raise StorageError(
                f"The packed library {folder} cannot be read: {error}.",
                remedy=f"delete {folder}; the next `ftdist plan` or `ftdist train` makes it again.",
            ) from error
        return cls(folder=folder, facts=facts, card=card, train=train, held_out=held_out)


def source_folder(number: int) -> str:
    """Name of the folder of source `number`."""
    return f"source-{number:03d}"


def _map(path: Path, *, dtype: type[np.generic]) -> npt.NDArray[Any]:
    """A flat array on disk; numpy cannot map an empty file."""
    return np.memmap(path, dtype=dtype, mode="r") if path.stat().st_size else np.empty(0, dtype)
