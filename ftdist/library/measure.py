"""Sizes of a curated library's samples: in tokens with the model's tokenizer, else in words."""

import tempfile
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ftdist.errors import DataError
from ftdist.library.curated import read_samples, samples_of_batches
from ftdist.library.pool import in_order
from ftdist.library.samples import Sample

_AT_ONCE = 256
_BATCHES_OF_PART = 4
_PARTS_ALONE = 2
"""So many parts are measured before other processes would have started."""

_SHOWN = 4
"""Samples of each source that the card shows, from its beginning, and evenly on."""


@dataclass
class SourceSizes:
    """What one source's training samples come to."""

    lengths: "array[int]" = field(default_factory=lambda: array("q"))
    """Tokens of each sample; without a tokenizer, words."""

    trained: "array[int]" = field(default_factory=lambda: array("q"))
    """Trained tokens of each; without a tokenizer, empty."""

    in_tokens: bool = False
    held_out: int = 0
    too_long: int = 0
    sequences: int = 0
    fill: float = 0.0
    shown: list[dict[str, Any]] = field(default_factory=list)

    @property
    def train_size(self) -> int:
        """Tokens, or words, of all training samples."""
        return sum(self.lengths)

    def values(self) -> dict[str, Any]:
        """For the manifest."""
        lengths = np.array(self.lengths, dtype=np.int64)
        quantiles = np.quantile(lengths, [0, 0.5, 0.9, 1]).tolist() if len(lengths) else [0] * 4
        counts, edges = np.histogram(lengths, bins=12)
        return {
            "unit": "tokens" if self.in_tokens else "words",
            "samples": len(lengths),
            "held_out_samples": self.held_out,
            "total": int(lengths.sum()),
            "trained": int(sum(self.trained)) if self.in_tokens else None,
            "zero_label": sum(not n for n in self.trained) if self.in_tokens else None,
            "quantiles": [int(q) for q in quantiles],
            "histogram": [
                [int(edge), int(count)] for edge, count in zip(edges[:-1], counts, strict=True)
            ],
            "too_long": self.too_long,
            "sequences": self.sequences,
            "fill": round(self.fill, 4),
        }


class Sizes(NamedTuple):
    """Of samples in their order."""

    lengths: "array[int]"
    trained: "array[int]"


class Part(NamedTuple):
    """Record batches of a file of samples, to be measured by one process."""

    path: Path
    batches: range
    encoder: Path | None
    """Pickled `ChatEncoder`; None: words are counted."""


def measure(
    sources: Sequence[tuple[str, Sequence[Path]]],
    *,
    encoder: Any,
    sequence_tokens: int,
    processes: int,
) -> dict[str, SourceSizes]:
    """Sizes of each source, by name.

    Args:
        sources: names, each with its files of training and of held-out samples.
        encoder: a `ChatEncoder`; None: words are counted.
        sequence_tokens: tokens of a packed sequence.
        processes: that may work at once.
    """
    with tempfile.TemporaryDirectory(prefix="ftdist-") as folder:
        saved = None if encoder is None else _saved(encoder, Path(folder))
        parts = [
            [
                Part(train, range(at, min(at + _BATCHES_OF_PART, len(rows))), saved)
                for at in range(0, len(rows), _BATCHES_OF_PART)
            ]
            for _, (train, _) in sources
            for rows in [samples_of_batches(train)]
        ]
        found = _measured([part for of_source in parts for part in of_source], processes=processes)
        sizes = {}
        for (name, (train, held_out)), of_source in zip(sources, parts, strict=True):
            size = SourceSizes(in_tokens=encoder is not None)
            for _ in of_source:
                part = next(found)
                size.lengths += part.lengths
                size.trained += part.trained
            size.held_out = sum(samples_of_batches(held_out))
            size.shown = [_shown(sample, source=name) for sample in _spread(train)]
            if encoder is not None and len(size.lengths):
                _pack(size, sequence_tokens=sequence_tokens)
            sizes[name] = size
        return sizes


def _saved(encoder: Any, folder: Path) -> Path:
    from ftdist.library.encode import save_encoder

    save_encoder(encoder, folder / "encoder.pickle")
    return folder / "encoder.pickle"


def _measured(parts: Sequence[Part], *, processes: int) -> Iterator[Sizes]:
    if len(parts) <= _PARTS_ALONE:
        return map(measure_part, parts)
    return in_order(measure_part, parts, processes=processes, if_it_dies=_dead)


def measure_part(part: Part) -> Sizes:
    """Sizes of the samples of a part.

    Raises:
        DataError: the chat template refuses one for what it says.
    """
    samples = read_samples(part.path, batches=part.batches)
    sizes = Sizes(array("q"), array("q"))
    if part.encoder is None:
        sizes.lengths.extend(map(_words, samples))
        return sizes
    from ftdist.library.encode import load_encoder

    encoder = load_encoder(part.encoder)
    while batch := list(islice(samples, _AT_ONCE)):
        for tokens in _encoded(batch, encoder):
            sizes.lengths.append(len(tokens.input_ids))
            sizes.trained.append(tokens.loss_tokens)
    return sizes


def _dead(part: Part) -> Sizes:
    raise DataError(
        f"Samples of {part.path.stem} end the program that measures them.",
        remedy="make sure that there is memory for it; else report it.",
    )


def _spread(path: Path) -> list[Sample]:
    """A few samples of a file, evenly spread from its beginning."""
    rows = samples_of_batches(path)
    ends = np.cumsum(rows)
    found = []
    for at in sorted({sum(rows) * step // _SHOWN for step in range(_SHOWN)} if rows else ()):
        batch = int(np.searchsorted(ends, at, side="right"))
        samples = read_samples(path, batches=range(batch, batch + 1))
        found.append(next(islice(samples, at - int(ends[batch]) + rows[batch], None)))
    return found


def _encoded(batch: Sequence[Sample], encoder: Any) -> list[Any]:
    chats = iter(encoder.encode_many([s.messages for s in batch if s.messages]))
    encoded = []
    for sample in batch:
        tokens = next(chats) if sample.messages else encoder.encode_text(sample.text)
        if isinstance(tokens, DataError):
            raise DataError(f"{sample.place}: {tokens.problem}", remedy=tokens.remedy)
        encoded.append(tokens)
    return encoded


def _pack(size: SourceSizes, *, sequence_tokens: int) -> None:
    from ftdist.data.pack import pack_samples

    lengths = np.array(size.lengths, dtype=np.int64)
    size.too_long = int((lengths > sequence_tokens).sum())
    packed = pack_samples(np.minimum(lengths, sequence_tokens), sequence_tokens=sequence_tokens)
    size.sequences = len(packed)
    size.fill = float(np.minimum(lengths, sequence_tokens).sum() / (len(packed) * sequence_tokens))


def _words(sample: Sample) -> int:
    texts = [message["content"] for message in sample.messages] or [sample.text]
    return sum(len(text.split()) for text in texts)


def _shown(sample: Sample, *, source: str) -> dict[str, Any]:
    """A sample as the model will see it: who says what, and which of it is trained."""
    parts = [
        {"role": said["role"], "text": said["content"], "trained": said["role"] == "assistant"}
        for said in sample.messages
    ] or [{"role": "text", "text": sample.text, "trained": True}]
    return {
        "source": source, "place": sample.place, "made_by": sample.made_by, "parts": parts,
    }  # fmt: skip
