"""Sizes of a curated library's samples: in tokens with the model's tokenizer, else in words."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from ftdist.library.curated import read_samples
from ftdist.library.samples import Sample

_AT_ONCE = 256
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


def measure(
    sources: Sequence[tuple[str, Sequence[Path]]], *, encoder: Any, sequence_tokens: int
) -> dict[str, SourceSizes]:
    """Sizes of each source, by name.

    Args:
        sources: names, each with its files of training and of held-out samples.
        encoder: a `ChatEncoder`; None: words are counted.
        sequence_tokens: tokens of a packed sequence.
    """
    sizes = {}
    for name, (train, held_out) in sources:
        size = SourceSizes(in_tokens=encoder is not None)
        size.held_out = sum(1 for _ in read_samples(held_out))
        total = sum(1 for _ in read_samples(train))
        wanted = {total * at // _SHOWN for at in range(_SHOWN)}
        _count(size, train, name=name, wanted=wanted, encoder=encoder)
        if encoder is not None and len(size.lengths):
            _pack(size, sequence_tokens=sequence_tokens)
        sizes[name] = size
    return sizes


def _count(size: SourceSizes, path: Path, *, name: str, wanted: set[int], encoder: Any) -> None:
    samples = read_samples(path)
    number = 0
    while batch := list(islice(samples, _AT_ONCE)):
        encoded = [None] * len(batch) if encoder is None else _encoded(batch, encoder)
        for sample, tokens in zip(batch, encoded, strict=True):
            if tokens is None:
                size.lengths.append(_words(sample))
            else:
                size.lengths.append(len(tokens.input_ids))
                size.trained.append(tokens.loss_tokens)
            if number in wanted:
                size.shown.append(_shown(sample, source=name))
            number += 1


def _encoded(batch: Sequence[Sample], encoder: Any) -> list[Any]:
    from ftdist.errors import DataError

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
