"""Lengths of a curated library's samples: in tokens with the model's tokenizer, else in words."""

import tempfile
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ftdist.data.messages import Chat, Message
from ftdist.errors import DataError
from ftdist.io.sampling import evenly_spaced
from ftdist.io.worker_pool import map_in_order
from ftdist.library.chat_text import conversation_text, message_texts
from ftdist.library.schema import Sample
from ftdist.library.store.samples import read_samples, samples_of_groups

_BATCH = 256
_SPAN_SAMPLES = 4096
_SPANS_PER_PROCESS = 8
_MAX_SERIAL_SPANS = 2
"""Up to this many spans are measured in this process, before others would have started."""

_SHOWN = 4
"""Samples of each source on the card, evenly spaced from the first."""


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


class _Span(NamedTuple):
    """Row groups of a file of samples, to be measured by one process."""

    path: Path
    groups: range
    encoder: Path | None
    """Pickled `ChatEncoder`; None: words are counted."""


def measure_sources(
    sources: Sequence[tuple[str, Sequence[Path]]],
    *,
    encoder: Any,
    sequence_length: int,
    processes: int,
    folder: Path,
) -> dict[str, SourceSizes]:
    """Sizes of each source, by name.

    Args:
        sources: names, each with its files of training and of held-out samples.
        encoder: a `ChatEncoder`; None: words are counted.
        sequence_length: tokens of a packed sequence.
        processes: that may work at once.
        folder: for a temporary file.

    Raises:
        DataError: the chat template rejects a sample for its text.
    """
    spans = [_spans(train, processes=processes) for _, (train, _) in sources]
    measured = iter(_measure(list(chain(*spans)), encoder, processes=processes, folder=folder))
    sizes = {}
    for (name, (train, held_out)), of_source in zip(sources, spans, strict=True):
        size = SourceSizes(in_tokens=encoder is not None)
        for part in islice(measured, len(of_source)):
            size.lengths += part.lengths
            size.trained += part.trained
        size.held_out = sum(samples_of_groups(held_out))
        size.shown = [_shown(sample, source=name) for sample in _examples(train)]
        if encoder is not None and len(size.lengths):
            _pack(size, sequence_length=sequence_length)
        sizes[name] = size
    return sizes


def _spans(path: Path, *, processes: int) -> list[_Span]:
    """A file's row groups as spans: enough to keep all processes busy, none of them small."""
    rows = samples_of_groups(path)
    wanted = max(_SPAN_SAMPLES, sum(rows) // (_SPANS_PER_PROCESS * processes))
    spans, begin, samples = [], 0, 0
    for end, number in enumerate(rows, start=1):
        samples += number
        if samples >= wanted or end == len(rows):
            spans.append(_Span(path, range(begin, end), None))
            begin, samples = end, 0
    return spans


def _measure(spans: Sequence[_Span], encoder: Any, *, processes: int, folder: Path) -> list[Sizes]:
    if len(spans) <= _MAX_SERIAL_SPANS:
        return [_sizes(read_samples(each.path, groups=each.groups), encoder) for each in spans]
    with tempfile.TemporaryDirectory(dir=folder, prefix=".measure-") as tmp:
        if encoder is not None:
            from ftdist.data.encoder_file import save_encoder

            saved = Path(tmp) / "encoder.pickle"
            save_encoder(encoder, saved)
            spans = [each._replace(encoder=saved) for each in spans]
        return list(map_in_order(measure_span, spans, processes=processes, on_crash=_dead))


def measure_span(span: _Span) -> Sizes:
    """Sizes of the samples of a span, in a worker process."""
    encoder = None
    if span.encoder is not None:
        from ftdist.data.encoder_file import load_encoder

        encoder = load_encoder(span.encoder)
    return _sizes(read_samples(span.path, groups=span.groups), encoder)


def _dead(span: _Span) -> Sizes:
    raise DataError(
        f"The process that measures samples of {span.path.stem} died.",
        remedy="make sure that it has enough memory; otherwise report it.",
    )


def _sizes(samples: Iterator[Sample], encoder: Any) -> Sizes:
    if encoder is None:
        return Sizes(array("q", map(_words, samples)), array("q"))
    sizes = Sizes(array("q"), array("q"))
    while batch := list(islice(samples, _BATCH)):
        for tokens in _encoded(batch, encoder):
            sizes.lengths.append(len(tokens.input_ids))
            sizes.trained.append(tokens.loss_tokens)
    return sizes


def _examples(path: Path) -> list[Sample]:
    """A few samples of a file, evenly spaced from the first."""
    rows = samples_of_groups(path)
    ends = np.cumsum(rows)
    examples = []
    for index in evenly_spaced(range(sum(rows)), _SHOWN):
        group = int(np.searchsorted(ends, index, side="right"))
        samples = read_samples(path, groups=range(group, group + 1))
        examples.append(next(islice(samples, index - int(ends[group]) + rows[group], None)))
    return examples


def _encoded(batch: Sequence[Sample], encoder: Any) -> list[Any]:
    chats = iter(encoder.encode_many([Chat(s.messages, s.tools) for s in batch if s.messages]))
    encoded = []
    for sample in batch:
        tokens = next(chats) if sample.messages else encoder.encode_text(sample.text)
        if isinstance(tokens, DataError):
            raise DataError(f"{sample.location}: {tokens.problem}", remedy=tokens.remedy)
        encoded.append(tokens)
    return encoded


def _pack(size: SourceSizes, *, sequence_length: int) -> None:
    from ftdist.data.packing import pack_samples

    lengths = np.array(size.lengths, dtype=np.int64)
    size.too_long = int((lengths > sequence_length).sum())
    packed = pack_samples(np.minimum(lengths, sequence_length), sequence_length=sequence_length)
    size.sequences = len(packed)
    size.fill = float(np.minimum(lengths, sequence_length).sum() / (len(packed) * sequence_length))


def _words(sample: Sample) -> int:
    text = conversation_text(sample.messages) if sample.messages else sample.text
    return len(text.split())


def _is_learned(message: Message) -> bool:
    return message["role"] == "assistant" and bool(message.get("weight", 1))


def _shown(sample: Sample, *, source: str) -> dict[str, Any]:
    """A sample for the card: its messages, and which of them are trained."""
    parts = [
        {
            "role": each["role"],
            "text": "\n".join(message_texts(each)),
            "trained": _is_learned(each),
        }
        for each in sample.messages
    ] or [{"role": "text", "text": sample.text, "trained": True}]
    return {
        "source": source, "location": sample.location, "made_by": sample.made_by, "parts": parts,
    }  # fmt: skip
