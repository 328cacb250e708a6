"""The packed dataset on disk, memory-mapped and read-only.

CACHE/KEY/  card.json           its inputs and counts
            source-000/         the library; source-001 onwards: further sources
                ids.bin             uint32, token ids of all samples in the order of reading
                loss.bin            uint8, the loss mask: 1 for tokens with loss
                offsets.npy         int64, sample -> first token
                train-*.npy         samples of each sequence, and loss tokens of each sequence
                held_out-*.npy      the same for held-out samples
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ftdist.data.packing import PackedSequence, Packing
from ftdist.errors import StorageError
from ftdist.plan.dataset_info import PackedDatasetInfo

CARD = "card.json"
IDS = "ids.bin"
LOSS = "loss.bin"
OFFSETS = "offsets.npy"
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

    def __len__(self) -> int:
        """The number of sequences."""
        return len(self._packing)

    def sequence(self, index: int) -> PackedSequence:
        """Sequence `index`, read from disk."""
        first, end = self._packing.offsets[index : index + 2]
        samples = self._packing.samples[first:end]
        spans = [slice(self._offsets[sample], self._offsets[sample + 1]) for sample in samples]
        return PackedSequence(
            input_ids=np.concatenate([self._ids[span] for span in spans]),
            loss=np.concatenate([self._loss[span] for span in spans]).astype(np.bool_),
            lengths=np.array([span.stop - span.start for span in spans], dtype=np.int64),
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
