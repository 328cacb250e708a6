"""Sections of documents as texts to compare: two manuals often share a licence or a chapter."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, fields, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from ftdist.library.dedup.signatures import signatures
from ftdist.library.schema import Document, Row
from ftdist.library.synthesis.sections import Section, joined, sections
from ftdist.text.ngram_hashes import Hashes

MIN_WORDS = 50
"""Shorter sections are not compared: what is usual to say shortly is said often."""

MIN_SIMILARITY = 0.9
"""Sections are near duplicates from here on, whatever documents are: a command's name that is put
for another in two lines of a short section takes it below."""

_NUMBER = re.compile(r"\w*\d\w*")


@dataclass(frozen=True, kw_only=True)
class SectionSignatures:
    """Signatures of the sections of many documents that are long enough, in their order."""

    places: npt.NDArray[np.int64]
    """int64[n, 2]: the row of the document, and which of its sections it is."""

    exact: Hashes
    minhash: npt.NDArray[np.uint16]
    numbers: Hashes
    """uint64[n]: equal where the same numbers stand in them."""

    @classmethod
    def of(cls, rows: Iterable[Row]) -> Self:
        """Of all rows that are documents."""
        places: list[tuple[int, int]] = []
        numbers: list[int] = []

        def texts() -> Iterable[str]:
            for at, row in enumerate(rows):
                for ordinal, text in long_sections(row) if isinstance(row, Document) else ():
                    places.append((at, ordinal))
                    numbers.append(_numbers(text))
                    yield text

        found = signatures(texts())
        return cls(
            places=np.array(places, dtype=np.int64).reshape(-1, 2),
            exact=found.exact,
            minhash=found.minhash,
            numbers=np.array(numbers, dtype=np.uint64),
        )

    def save(self, folder: Path) -> None:
        """Write a file of each array."""
        for field in fields(self):
            np.save(folder / f"section_{field.name}.npy", getattr(self, field.name))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """What `save` wrote, mapped and not in memory."""
        arrays: dict[str, Any] = {
            field.name: np.load(folder / f"section_{field.name}.npy", mmap_mode="r")
            for field in fields(cls)
        }
        return cls(**arrays)


def long_sections(document: Document) -> Iterable[tuple[int, str]]:
    """Sections below a heading that are long enough to be compared: which, and what they say."""
    for ordinal, section in enumerate(sections(document)):
        text = joined(section.blocks)
        if section.path and len(text.split()) >= MIN_WORDS:
            yield ordinal, f"{section.heading}\n{text}"


def without_sections(document: Document, gone: Collection[int]) -> Document:
    """A document without what stands in some of its sections; their headings stay."""
    if not gone:
        return document
    left_out = {id(block) for section in _chosen(document, gone) for block in section.blocks}
    return replace(
        document, blocks=tuple(block for block in document.blocks if id(block) not in left_out)
    )


def describe_section(document: Document, ordinal: int) -> tuple[str, str]:
    """Where a section stands, and what it says."""
    (section,) = _chosen(document, (ordinal,))
    place = replace(document.place, page=section.page)
    return str(place), f"{section.heading}: {joined(section.blocks)}"


def _chosen(document: Document, ordinals: Collection[int]) -> Iterable[Section]:
    return (each for at, each in enumerate(sections(document)) if at in ordinals)


def _numbers(text: str) -> int:
    """A hash of the numbers in a text, each once, and of the words that hold digits."""
    found = " ".join(sorted(set(_NUMBER.findall(text.casefold()))))
    return int.from_bytes(blake2b(found.encode("utf-8", "surrogatepass"), digest_size=8).digest())
