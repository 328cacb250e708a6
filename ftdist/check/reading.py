"""The rows that a check reads: all, or some of every part of every file, encoded as in training."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import NamedTuple

from ftdist.data.chat_encoder import ChatEncoder, Tokens
from ftdist.errors import DataError
from ftdist.io.sampling import evenly_spaced
from ftdist.library.schema import Conversation, Passage, Row
from ftdist.prepare import chunking
from ftdist.prepare.data_files import SourceFiles
from ftdist.prepare.portions import PORTION_BYTES, Part, parts_of
from ftdist.prepare.tokenize_shard import encode_rows

ROWS_PER_SOURCE = 2000
"""Rows that are read of a source at most, unless all are wanted."""

_MAX_PARTS = 64
"""Parts of files, evenly spaced, from which these rows are taken."""


class ReadRow(NamedTuple):
    """A row and its samples.

    Attributes:
        source: name of its source.
        row: as its reader gave it.
        samples: of a conversation one, of a text its pieces; none where it cannot be used.
        error: why a conversation has no tokens; None: it has.
    """

    source: str
    row: Row
    samples: list[Tokens]
    error: DataError | None = None

    @property
    def conversation(self) -> Conversation | None:
        """The conversation, if it is one that was encoded."""
        return self.row if isinstance(self.row, Conversation) and self.samples else None


class RowReader:
    """Reads rows as `prepare` does, which alone decides what they are.

    Args:
        encoder: of the model.
        sequence_length: tokens of a packed sequence, to which texts are cut.
        all_rows: whether to read every row.
    """

    def __init__(self, encoder: ChatEncoder, *, sequence_length: int, all_rows: bool) -> None:
        self._encoder, self._sequence_length = encoder, sequence_length
        self._wants_all = all_rows
        self.has_all = True
        """Whether no row has been left out so far."""

    def read(self, sources: Mapping[str, SourceFiles]) -> Iterator[ReadRow]:
        """Rows of all sources, source by source.

        Raises:
            DataError: a file cannot be read.
        """
        for name, files in sources.items():
            for row, encoded in encode_rows(self._rows(files, name), encoder=self._encoder):
                match row, encoded:
                    case Conversation(), DataError():
                        yield ReadRow(name, row, [], encoded)
                    case Conversation(), Tokens():
                        yield ReadRow(name, row, [encoded])
                    case Passage(), _:
                        pieces = chunking.cut_text(
                            row.text, encoder=self._encoder, sequence_length=self._sequence_length
                        )
                        yield ReadRow(name, row, list(pieces))
                    case _:
                        yield ReadRow(name, row, [])

    def _rows(self, files: SourceFiles, source: str) -> Iterator[Row]:
        parts = self._parts(files, source)
        if self._wants_all:
            for part in parts:
                yield from part.rows
            return
        chosen = evenly_spaced(parts, _MAX_PARTS)
        self.has_all &= len(chosen) == len(parts)
        left = ROWS_PER_SOURCE
        for number, part in enumerate(chosen):
            # What short parts leave over goes to those that follow.
            wanted = -(-left // (len(chosen) - number))
            rows = iter(part.rows)
            for row in islice(rows, wanted):
                left -= 1
                yield row
            self.has_all &= next(rows, None) is None

    def _parts(self, files: SourceFiles, source: str) -> list[Part]:
        """Parts of the training files, then those of a held-out file."""
        both = [files]
        if files.held_out is not None:
            both.append(replace(files, files=(files.held_out,), held_out=None))
        return [
            part
            for each in both
            for _, part in parts_of(each, source=source, portion_bytes=PORTION_BYTES)
        ]
