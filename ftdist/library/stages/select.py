"""What of all that was read is kept, and what of that is held out: decided over all sources."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ftdist.config.schema.curate import CurateConfig
from ftdist.library.cleaning.boilerplate import find_boilerplate
from ftdist.library.dedup.near_duplicates import Duplicates, find_duplicates
from ftdist.library.dedup.sections import MIN_SIMILARITY, SectionSignatures, describe_section
from ftdist.library.schema import Document, Row
from ftdist.library.splits.holdout import choose_heldout
from ftdist.library.stages.read_shard import Piece, unit_text
from ftdist.library.stats import Account
from ftdist.library.store.row_cache import read_rows
from ftdist.text.decontamination import Decontamination, decontaminate
from ftdist.text.ngram_hashes import ngram_hashes, ngrams_of_texts

LIBRARY = "library"


@dataclass(frozen=True, kw_only=True)
class ReadSource:
    """A source, read."""

    name: str
    role: str
    """library, or replay."""

    pieces: tuple[Piece, ...]
    account: Account


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What becomes of the rows of one piece; bool, one a row."""

    kept: npt.NDArray[np.bool_]
    held_out: npt.NDArray[np.bool_]
    repeated: npt.NDArray[np.uint64]
    """Hashes of blocks that are repeated all over the source."""

    copied: npt.NDArray[np.int64]
    """int64[n, 2]: row and number of each section that says what an earlier one says."""


@dataclass(frozen=True, kw_only=True)
class Sifted:
    """Decisions on each source's pieces, and what the split proved."""

    decisions: dict[str, list[Decision]]
    decontamination: Decontamination


def sift(
    sources: Sequence[ReadSource],
    *,
    config: CurateConfig,
    refused: Mapping[str, Sequence[npt.NDArray[np.bool_]]],
) -> Sifted:
    """Decide on every row of every source.

    Args:
        sources: the library's first; of two rows that are alike the first one met stays.
        config: of the curation.
        refused: of a source's pieces the rows that cannot be used; none where it is not named.
    """
    pieces = [piece for source in sources for piece in source.pieces]
    counts = [len(_load(piece, "documents")) for piece in pieces]
    ends = np.cumsum([0, *counts])
    kept = np.ones(int(ends[-1]), dtype=np.bool_)
    unusable = [rows for source in sources for rows in refused.get(source.name, ())]
    if unusable:
        kept &= ~np.concatenate(unusable)
    owners = [source for source in sources for _ in source.pieces]
    if config.clean.dedup and len(kept):
        kept = _without_duplicates(pieces, owners, ends, kept, config=config)
    copied = [_NO_PLACES for _ in pieces]
    if config.clean.dedup_sections and len(kept):
        copied = _copied_sections(pieces, owners, ends, kept, config=config)
    held_out = np.zeros(len(kept), dtype=np.bool_)
    place = 0
    for source in sources:
        first = place
        place += len(source.pieces)
        span = slice(ends[first], ends[place])
        if source.role == LIBRARY:
            held_out[span] = _held_out(source.pieces, kept[span], config=config)
    decontamination = _decontaminate(
        pieces, ends, kept, held_out, words=config.split.decontamination_ngram
    )
    decisions: dict[str, list[Decision]] = {}
    place = 0
    for source in sources:
        repeated = _repeated(source.pieces) if config.clean.remove_boilerplate else _NO_HASHES
        decisions[source.name] = []
        for _ in source.pieces:
            span = slice(ends[place], ends[place + 1])
            decisions[source.name].append(
                Decision(
                    kept=kept[span],
                    held_out=held_out[span],
                    repeated=repeated,
                    copied=copied[place],
                )
            )
            place += 1
    return Sifted(decisions=decisions, decontamination=decontamination)


_NO_HASHES = np.empty(0, dtype=np.uint64)
_NO_PLACES = np.empty((0, 2), dtype=np.int64)


def _load(piece: Piece, name: str) -> npt.NDArray[Any]:
    loaded: npt.NDArray[Any] = np.load(piece.folder / f"{name}.npy", mmap_mode="r")
    return loaded


def _without_duplicates(
    pieces: Sequence[Piece],
    owners: Sequence[ReadSource],
    ends: npt.NDArray[np.int64],
    kept: npt.NDArray[np.bool_],
    *,
    config: CurateConfig,
) -> npt.NDArray[np.bool_]:
    """Which rows stay, of those that are usable; those that go are counted, the first one shown."""
    usable = [np.flatnonzero(of_piece) for of_piece in np.split(kept, ends[1:-1])]
    found = find_duplicates(
        (
            (_load(piece, "exact")[at], _load(piece, "minhash")[at])
            for piece, at in zip(pieces, usable, strict=True)
        ),
        threshold=config.clean.dedup_threshold,
    )
    rows = np.flatnonzero(kept)

    def told(at: int) -> tuple[str, str]:
        row = _row(pieces, ends, int(rows[at]))
        return str(row.place), unit_text(row)

    usable_ends = np.cumsum([0, *map(len, usable)])
    _strike(found, owners, usable_ends, rule="duplicate", told=told)
    stays = kept.copy()
    stays[rows[found.duplicate_of >= 0]] = False
    return stays


def _copied_sections(
    pieces: Sequence[Piece],
    owners: Sequence[ReadSource],
    ends: npt.NDArray[np.int64],
    kept: npt.NDArray[np.bool_],
    *,
    config: CurateConfig,
) -> list[npt.NDArray[np.int64]]:
    """Of each piece the sections that go: rows that are gone already count for nothing.

    Near duplicates hold the same numbers: two devices' sections may differ in a torque alone.
    """
    signed = [SectionSignatures.load(piece.folder) for piece in pieces]
    chosen = [
        np.flatnonzero(kept[first + each.indices[:, 0]])
        for each, first in zip(signed, ends[:-1], strict=True)
    ]
    found = find_duplicates(
        ((each.exact[at], each.minhash[at]) for each, at in zip(signed, chosen, strict=True)),
        threshold=max(config.clean.dedup_threshold, MIN_SIMILARITY),
        groups=np.concatenate([each.numbers[at] for each, at in zip(signed, chosen, strict=True)]),
    )
    places = [each.indices[at] for each, at in zip(signed, chosen, strict=True)]
    section_ends = np.cumsum([0, *map(len, places)])

    def told(at: int) -> tuple[str, str]:
        piece = int(np.searchsorted(section_ends, at, side="right")) - 1
        row, ordinal = places[piece][at - int(section_ends[piece])].tolist()
        document = _row(pieces, ends, int(ends[piece]) + row)
        assert isinstance(document, Document)
        return describe_section(document, ordinal)

    _strike(found, owners, section_ends, rule="duplicate section", told=told)
    gone = np.split(found.duplicate_of >= 0, section_ends[1:-1])
    return [of_piece[is_gone] for of_piece, is_gone in zip(places, gone, strict=True)]


def _strike(
    found: Duplicates,
    owners: Sequence[ReadSource],
    ends: npt.NDArray[np.int64],
    *,
    rule: str,
    told: Callable[[int], tuple[str, str]],
) -> None:
    """Count what goes; of the first few of a source show place and text, and what stays instead."""
    shown: dict[tuple[str, str], int] = {}
    for at in np.flatnonzero(found.duplicate_of >= 0).tolist():
        owner = owners[int(np.searchsorted(ends, at, side="right")) - 1]
        name = f"{'near' if found.near[at] else 'exact'} {rule}"
        shown[owner.name, name] = shown.get((owner.name, name), 0) + 1
        if shown[owner.name, name] > _SHOWN:
            owner.account.strike(name, place="", excerpt="")
            continue
        (place, text), (kept, kept_text) = told(at), told(int(found.duplicate_of[at]))
        owner.account.strike(
            name,
            place=place,
            excerpt=text,
            kept=kept,
            kept_excerpt=" ".join(kept_text.split())[:160],
            similarity=round(float(found.similarity[at]), 2),
        )


_SHOWN = 5


def _row(pieces: Sequence[Piece], ends: npt.NDArray[np.int64], row: int) -> Row:
    piece = int(np.searchsorted(ends, row, side="right")) - 1
    at = row - int(ends[piece])
    return next(r for i, r in enumerate(read_rows(pieces[piece].folder / "rows.arrow")) if i == at)


def _held_out(
    pieces: Sequence[Piece], kept: npt.NDArray[np.bool_], *, config: CurateConfig
) -> npt.NDArray[np.bool_]:
    """Documents and conversations of one source that are kept out, each kind by its share."""
    hashes = np.concatenate([_NO_HASHES, *(_load(piece, "exact") for piece in pieces)])
    documents = np.concatenate(
        [np.empty(0, dtype=np.bool_), *(_load(piece, "documents") for piece in pieces)]
    )
    chosen = np.zeros(len(kept), dtype=np.bool_)
    split = config.split
    for of_kind, share in (
        (documents, split.held_out_documents),
        (~documents, split.held_out_conversations),
    ):
        rows = np.flatnonzero(of_kind & kept)
        chosen[rows] = choose_heldout(
            hashes[rows], fraction=share, max_docs=split.max_held_out, seed=config.library.seed
        )
    return chosen


def _decontaminate(
    pieces: Sequence[Piece],
    ends: npt.NDArray[np.int64],
    kept: npt.NDArray[np.bool_],
    held_out: npt.NDArray[np.bool_],
    *,
    words: int,
) -> Decontamination:
    """Give back to training what shares text with it; `held_out` is changed in place."""

    def texts(chosen: npt.NDArray[np.bool_]) -> Iterator[str]:
        for piece, first, end in zip(pieces, ends[:-1], ends[1:], strict=True):
            if not chosen[first:end].any():
                continue
            for at, row in enumerate(read_rows(piece.folder / "rows.arrow")):
                if chosen[first + at]:
                    yield unit_text(row)

    units = np.flatnonzero(held_out)
    result = decontaminate(
        [ngram_hashes(text, n=words) for text in texts(held_out)],
        lambda: ngrams_of_texts(texts(kept & ~held_out), sizes=(words,)),
    )
    held_out[units[result.moved]] = False
    return result


def _repeated(pieces: Sequence[Piece]) -> npt.NDArray[np.uint64]:
    def per_document() -> Iterator[npt.NDArray[np.uint64]]:
        for piece in pieces:
            blocks, block_ends = _load(piece, "blocks"), _load(piece, "block_ends")
            yield from np.split(blocks, block_ends[:-1]) if len(block_ends) else ()

    documents = sum(len(_load(piece, "block_ends")) for piece in pieces)
    return find_boilerplate(per_document(), documents=documents)
