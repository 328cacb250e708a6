"""Deduplication of documents' sections: two manuals often share a licence or a chapter."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from ftdist.library.dedup.critical_words import critical_hash
from ftdist.library.dedup.signatures import signatures
from ftdist.library.schema import Document, Row
from ftdist.library.synthesis.sections import Section, joined, sections
from ftdist.text.ngram_hashes import Hashes

MIN_WORDS = 50
"""Shorter sections are not compared: standard phrases recur in unrelated documents."""

MIN_SIMILARITY = 0.9
"""Lowest similarity of near-duplicate sections, whatever the documents' threshold is: replacing a
command's name in two lines of a short section takes it below."""


@dataclass(frozen=True, kw_only=True)
class SectionSignatures:
    """Signatures of those sections of many documents that are long enough, in order."""

    indices: npt.NDArray[np.int64]
    """int64[n, 2]: the row of the document, and the index of the section in it."""

    exact: Hashes
    minhash: npt.NDArray[np.uint16]
    critical: Hashes
    """uint64[n]: equal for sections with the same critical words."""

    @classmethod
    def from_rows(cls, rows: Iterable[Row]) -> Self:
        """Signatures of the documents among rows."""
        indices: list[tuple[int, int]] = []
        critical: list[int] = []

        def texts() -> Iterable[str]:
            for row_index, row in enumerate(rows):
                for index, text in long_sections(row) if isinstance(row, Document) else ():
                    indices.append((row_index, index))
                    critical.append(critical_hash(text))
                    yield text

        signed = signatures(texts())
        return cls(
            indices=np.array(indices, dtype=np.int64).reshape(-1, 2),
            exact=signed.exact,
            minhash=signed.minhash,
            critical=np.array(critical, dtype=np.uint64),
        )

    def save(self, folder: Path) -> None:
        """Write each array to a file."""
        for field in fields(self):
            np.save(folder / f"section_{field.name}.npy", getattr(self, field.name))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Memory-map the files that `save` wrote."""
        arrays: dict[str, Any] = {
            field.name: np.load(folder / f"section_{field.name}.npy", mmap_mode="r")
            for field in fields(cls)
        }
        return cls(**arrays)


def long_sections(document: Document) -> Iterable[tuple[int, str]]:
    """Index and text of the sections below a heading that are long enough to be compared."""
    for index, section in enumerate(sections(document)):
        text = joined(section.blocks)
        if section.path and len(text.split()) >= MIN_WORDS:
            yield index, f"{section.heading}\n{text}"


def drop_sections(document: Document, indices: Collection[int]) -> Document:
    """A document without the text of some of its sections; their headings stay."""
    if not indices:
        return document
    dropped = {id(block) for section in _select(document, indices) for block in section.blocks}
    return replace(document, blocks=tuple(b for b in document.blocks if id(b) not in dropped))


def describe_section(document: Document, index: int) -> tuple[str, str]:
    """A section's location and its text."""
    (section,) = _select(document, (index,))
    location = replace(document.location, page=section.page)
    return str(location), f"{section.heading}: {joined(section.blocks)}"


def _select(document: Document, indices: Collection[int]) -> Iterable[Section]:
    return (section for i, section in enumerate(sections(document)) if i in indices)
