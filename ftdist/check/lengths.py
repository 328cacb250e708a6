"""Sizes of the sources, and what becomes of samples that are too long, of rows and of repeats."""

from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b

import numpy as np

from ftdist.check.findings import Finding, SourceFigures
from ftdist.check.reading import ReadRow
from ftdist.config.schema import LibraryConfig
from ftdist.data.packing import pack_samples
from ftdist.library.schema import BadRow, Conversation

_MAX_PADDING = 0.1
"""Share of padding above which packing deserves a look."""

_MIN_SEQUENCES = 20
"""With fewer, the last one alone may be the reason."""

_MAX_REPEATS = 0.05
_REASONS = 3


@dataclass
class _Sizes:
    rows: int = 0
    lengths: "array[int]" = field(default_factory=lambda: array("q"))
    loss_tokens: int = 0
    overlong: int = 0


class LengthCheck:
    """Collects sizes row by row.

    Args:
        library: with what to do about rows that are invalid or too long.
        sequence_length: tokens of a packed sequence; with `batch.sequence_length=auto` the most
            that a plan chooses.
        is_auto: whether a plan will choose it, so that this packing is not that of a run.
    """

    def __init__(
        self, library: LibraryConfig, *, sequence_length: int, is_auto: bool = False
    ) -> None:
        self._library, self._room, self._is_auto = library, sequence_length, is_auto
        self._sources: dict[str, _Sizes] = {}
        self._bad: list[str] = []
        self._bad_rows = self._rows = self._conversations = 0
        self._first_overlong = ""
        self._without_loss = 0
        self._contents: Counter[bytes] = Counter()

    def add(self, read: ReadRow) -> None:
        """Count a row."""
        sizes = self._sources.setdefault(read.source, _Sizes())
        sizes.rows += 1
        self._rows += 1
        row = read.row
        if isinstance(row, BadRow):
            self._bad_rows += 1
            if len(self._bad) < _REASONS:
                self._bad.append(f"{row.location} {row.reason}")
        for tokens in read.samples:
            sizes.lengths.append(len(tokens.input_ids))
            sizes.loss_tokens += tokens.loss_tokens
            self._without_loss += not any(tokens.loss)
        if isinstance(row, Conversation) and read.samples:
            [tokens] = read.samples
            self._conversations += 1
            ids = np.array(tokens.input_ids, dtype=np.uint32)
            self._contents[blake2b(ids.tobytes(), digest_size=8).digest()] += 1
            if len(ids) > self._room:
                sizes.overlong += 1
                self._first_overlong = self._first_overlong or str(row.location)

    def figures(self) -> list[SourceFigures]:
        """The sizes of each source."""
        return [self._figures(name, sizes) for name, sizes in self._sources.items()]

    def findings(self) -> Iterator[Finding]:
        """What was found about rows, lengths, packing and repeats."""
        yield self._of_rows()
        yield self._of_lengths()
        yield self._of_packing()
        repeats = self._conversations - len(self._contents)
        if self._conversations:
            share = repeats / self._conversations
            yield Finding(
                check="duplicates",
                status="warning" if share > _MAX_REPEATS else "ok",
                message=f"{repeats:,} of {self._conversations:,} conversations repeat another one "
                f"word for word ({share:.1%}).",
                remedy="remove them, or curate the library, which finds near duplicates too."
                if share > _MAX_REPEATS
                else "",
            )

    def _of_rows(self) -> Finding:
        if not self._bad_rows and not self._without_loss:
            return Finding(
                check="rows", status="ok", message=f"All {self._rows:,} rows can be read."
            )
        skipped = self._library.on_invalid_row == "skip"
        first = f" The first: {'; '.join(self._bad)}." if self._bad else ""
        empty = (
            f" {self._without_loss:,} samples have no token to learn." if self._without_loss else ""
        )
        return Finding(
            check="rows",
            status="warning" if skipped else "failed",
            message=f"{self._bad_rows:,} of {self._rows:,} rows cannot be used"
            f"{', and are skipped' if skipped else ''}.{first}{empty}",
            remedy="correct them."
            if skipped
            else "correct them, or set library.on_invalid_row=skip to leave them out.",
        )

    def _of_lengths(self) -> Finding:
        room = self._room
        overlong = sum(sizes.overlong for sizes in self._sources.values())
        longest = max((max(s.lengths, default=0) for s in self._sources.values()), default=0)
        if not overlong:
            return Finding(
                check="lengths",
                status="ok",
                message=f"The longest sample has {longest:,} tokens; a sequence has room for "
                f"{room:,}.",
            )
        fate = {
            "error": "which training refuses",
            "drop": "and dropped",
            "truncate": "and cut off",
        }[self._library.overlong]
        is_error = self._library.overlong == "error"
        return Finding(
            check="lengths",
            status="failed" if is_error else "warning",
            message=f"{overlong:,} of {self._conversations:,} conversations are longer than "
            f"batch.sequence_length={room}, {fate}; the longest has {longest:,} tokens, the first "
            f"is {self._first_overlong}.",
            remedy=f"set batch.sequence_length to {longest} or more"
            f"{', or library.overlong to drop or truncate' if is_error else ''}.",
        )

    def _of_packing(self) -> Finding:
        figures = self.figures()
        packed = sum(each.sequences for each in figures)
        padding = sum(each.padding * each.sequences for each in figures) / packed if packed else 0.0
        is_high = padding > _MAX_PADDING and packed >= _MIN_SEQUENCES and not self._is_auto
        return Finding(
            check="packing",
            status="warning" if is_high else "ok",
            message="batch.sequence_length=auto: `ftdist plan` chooses it for model and library."
            if self._is_auto
            else f"Packed sequences of {self._room:,} tokens: {packed:,}, with {padding:.1%} "
            "padding.",
            remedy="choose a longer batch.sequence_length, into which samples fit with less left "
            "over."
            if is_high
            else "",
        )

    def _figures(self, name: str, sizes: _Sizes) -> SourceFigures:
        lengths = np.array(sizes.lengths, dtype=np.int64)
        fitting = lengths[lengths <= self._room]
        packed = len(pack_samples(fitting, sequence_length=self._room)) if len(fitting) else 0
        padding = 1 - int(fitting.sum()) / (packed * self._room) if packed else 0.0
        p50, p95 = np.quantile(lengths, [0.5, 0.95]).tolist() if len(lengths) else (0, 0)
        return SourceFigures(
            name=name,
            rows=sizes.rows,
            samples=len(lengths),
            tokens=int(lengths.sum()),
            loss_tokens=sizes.loss_tokens,
            p50=round(p50),
            p95=round(p95),
            longest=int(lengths.max(initial=0)),
            overlong=sizes.overlong,
            sequences=packed,
            padding=padding,
            histogram=_histogram(lengths),
        )


def _histogram(lengths: "np.typing.NDArray[np.int64]") -> list[tuple[int, int]]:
    """Samples by length, in bins up to powers of two without empty ones at either end."""
    if not len(lengths):
        return []
    powers = np.ceil(np.log2(np.maximum(lengths, 1))).astype(np.int64)
    counts = np.bincount(powers)
    first = int(powers.min())
    return [(1 << power, int(counts[power])) for power in range(first, len(counts))]
