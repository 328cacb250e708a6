"""Deduplication, held-out split and decontamination, decided over the rows of all sources."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from ftdist.config.schema.curate import CurateConfig
from ftdist.library.cleaning.boilerplate import find_boilerplate
from ftdist.library.dedup.near_duplicates import Duplicates, find_duplicates
from ftdist.library.dedup.sections import MIN_SIMILARITY, SectionSignatures, describe_section
from ftdist.library.schema import Document
from ftdist.library.splits.holdout import MIN_CONVERSATIONS, MIN_DOCS, choose_heldout
from ftdist.library.stages.read_shard import SourceShard, row_text
from ftdist.library.stages.row_table import (
    LIBRARY,
    Indices,
    Mask,
    ReadSource,
    RowTable,
    load_column,
)
from ftdist.library.stats import CurationStats
from ftdist.text.decontamination import Decontamination, decontaminate
from ftdist.text.ngram_hashes import ngram_hashes, ngrams_of_texts

_NO_HASHES = np.empty(0, dtype=np.uint64)


@dataclass(frozen=True, kw_only=True)
class RowSelection:
    """Which rows of one shard are kept, held out or shortened."""

    keep: Mask
    held_out: Mask
    boilerplate: npt.NDArray[np.uint64]
    """Hashes of blocks that most documents of the source repeat."""

    duplicate_sections: Indices
    """int64[n, 2]: row and section number of each section that repeats an earlier one."""


@dataclass(frozen=True, kw_only=True)
class Selection:
    """The selections of each source's shards, and how held-out rows were decontaminated."""

    by_source: dict[str, list[RowSelection]]
    decontamination: Decontamination


def select_rows(
    sources: Sequence[ReadSource],
    *,
    config: CurateConfig,
    refused: Mapping[str, Sequence[Mask]],
) -> Selection:
    """Decide which rows are kept and which of those are held out.

    Args:
        sources: the library's first; the first of several duplicates is kept.
        config: of the curation.
        refused: per source and shard, the rows that the chat template refuses.
    """
    table = RowTable.from_sources(sources)
    masks = [mask for source in sources for mask in refused.get(source.name, ())]
    if masks:
        table.keep &= ~np.concatenate(masks)
    if config.clean.dedup and len(table.keep):
        _drop_duplicates(table, sources, config=config)
    sections = np.empty((0, 2), dtype=np.int64)
    if config.clean.dedup_sections and len(table.keep):
        sections = _duplicate_sections(table, sources, config=config)
    _hold_out(table, sources, config=config)
    decontamination = _decontaminate(table, words=config.split.decontamination_ngram)
    by_source = _by_source(table, sources, sections, config=config)
    return Selection(by_source=by_source, decontamination=decontamination)


def _by_source(
    table: RowTable, sources: Sequence[ReadSource], sections: Indices, *, config: CurateConfig
) -> dict[str, list[RowSelection]]:
    """The table by source and shard; `sections` holds table entries and section numbers."""
    shard_of_section = table.shard[sections[:, 0]]
    in_shard = np.stack([table.row[sections[:, 0]], sections[:, 1]], axis=1)
    columns = enumerate(
        zip(table.by_shard(table.keep), table.by_shard(table.held_out), strict=True)
    )
    selections = {}
    for source in sources:
        boilerplate = _boilerplate(source.shards) if config.clean.remove_boilerplate else _NO_HASHES
        selections[source.name] = [
            RowSelection(
                keep=keep,
                held_out=held_out,
                boilerplate=boilerplate,
                duplicate_sections=in_shard[shard_of_section == index],
            )
            for index, (keep, held_out) in islice(columns, len(source.shards))
        ]
    return selections


def _drop_duplicates(
    table: RowTable, sources: Sequence[ReadSource], *, config: CurateConfig
) -> None:
    """Drop kept rows that repeat an earlier one."""
    entries = np.flatnonzero(table.keep)
    duplicates = find_duplicates(
        (
            (load_column(shard, "exact")[keep], load_column(shard, "minhash")[keep])
            for shard, keep in zip(table.shards, table.by_shard(table.keep), strict=True)
        ),
        threshold=config.clean.dedup_threshold,
        groups=np.concatenate([load_column(shard, "critical") for shard in table.shards])[entries],
    )

    def describe(candidate: int) -> tuple[str, str]:
        row = table.read(int(entries[candidate]))
        return str(row.location), row_text(row)

    owners = [sources[index].stats for index in table.source[entries].tolist()]
    _record(duplicates, owners, rule="duplicate", describe=describe)
    table.keep[entries[duplicates.duplicate_of >= 0]] = False


def _duplicate_sections(
    table: RowTable, sources: Sequence[ReadSource], *, config: CurateConfig
) -> Indices:
    """int64[n, 2]: table entry and section number of sections of kept rows that repeat others.

    Near duplicates agree in all critical words: two devices' sections may differ in a torque alone.
    """
    signatures = [SectionSignatures.load(shard.folder) for shard in table.shards]
    used = [
        keep[each.indices[:, 0]]
        for each, keep in zip(signatures, table.by_shard(table.keep), strict=True)
    ]
    sections = np.concatenate(
        [
            each.indices[mask] + (start, 0)
            for each, mask, start in zip(signatures, used, table.starts, strict=True)
        ]
    )
    duplicates = find_duplicates(
        (
            (each.exact[mask], each.minhash[mask])
            for each, mask in zip(signatures, used, strict=True)
        ),
        threshold=max(config.clean.dedup_threshold, MIN_SIMILARITY),
        groups=np.concatenate(
            [each.critical[mask] for each, mask in zip(signatures, used, strict=True)]
        ),
    )

    def describe(candidate: int) -> tuple[str, str]:
        entry, ordinal = sections[candidate].tolist()
        document = table.read(entry)
        assert isinstance(document, Document)
        return describe_section(document, ordinal)

    owners = [sources[index].stats for index in table.source[sections[:, 0]].tolist()]
    _record(duplicates, owners, rule="duplicate section", describe=describe)
    repeated: Indices = sections[duplicates.duplicate_of >= 0]
    return repeated


def _record(
    duplicates: Duplicates,
    owners: Sequence[CurationStats],
    *,
    rule: str,
    describe: Callable[[int], tuple[str, str]],
) -> None:
    """Count duplicates, with examples of each source and the rows that they repeat."""
    for candidate in np.flatnonzero(duplicates.duplicate_of >= 0).tolist():
        stats = owners[candidate]
        name = f"{'near' if duplicates.near[candidate] else 'exact'} {rule}"
        if not stats.needs_example(name):
            stats.record(name)
            continue
        location, text = describe(candidate)
        first_location, first_text = describe(int(duplicates.duplicate_of[candidate]))
        details: dict[str, Any] = {
            "kept": first_location,
            "kept_excerpt": " ".join(first_text.split())[:160],
            "similarity": round(float(duplicates.similarity[candidate]), 2),
        }
        stats.record(name, location=location, excerpt=text, **details)


def _hold_out(table: RowTable, sources: Sequence[ReadSource], *, config: CurateConfig) -> None:
    """Hold out documents and conversations of the library's sources, each kind by its fraction."""
    hashes = np.concatenate([_NO_HASHES, *(load_column(shard, "exact") for shard in table.shards)])
    split = config.split
    for index, source in enumerate(sources):
        if source.role != LIBRARY:
            continue
        for is_kind, fraction, min_docs, at_least in (
            (table.is_document, split.held_out_documents, MIN_DOCS, 0),
            (~table.is_document, split.held_out_conversations, MIN_CONVERSATIONS, 1),
        ):
            entries = np.flatnonzero((table.source == index) & is_kind & table.keep)
            table.held_out[entries] = choose_heldout(
                hashes[entries],
                fraction=fraction,
                max_docs=split.max_held_out,
                seed=config.library.seed,
                min_docs=min_docs,
                at_least=at_least,
            )


def _decontaminate(table: RowTable, *, words: int) -> Decontamination:
    """Move held-out rows that share text with training rows back to training."""
    entries = np.flatnonzero(table.held_out)
    result = decontaminate(
        [ngram_hashes(text, n=words) for text in table.texts(table.held_out)],
        lambda: ngrams_of_texts(table.texts(table.keep & ~table.held_out), sizes=(words,)),
    )
    table.held_out[entries[result.moved]] = False
    return result


def _boilerplate(shards: Sequence[SourceShard]) -> npt.NDArray[np.uint64]:
    def per_document() -> Iterator[npt.NDArray[np.uint64]]:
        for shard in shards:
            blocks, ends = load_column(shard, "blocks"), load_column(shard, "block_ends")
            yield from np.split(blocks, ends[:-1]) if len(ends) else ()

    documents = sum(len(load_column(shard, "block_ends")) for shard in shards)
    return find_boilerplate(per_document(), documents=documents)
