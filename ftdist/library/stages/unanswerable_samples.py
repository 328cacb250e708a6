"""Samples of what a library does not say of its things, made when all its documents are read."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from ftdist.library.schema import Sample
from ftdist.library.stages.build_samples import LEFT_OUT, PARTS
from ftdist.library.stages.manifest import SourceSamples
from ftdist.library.stages.row_table import LIBRARY
from ftdist.library.stages.worded_samples import as_messages
from ftdist.library.stages.write_probes import MAX_FACTS, read_facts
from ftdist.library.store.samples import SUFFIX, read_samples
from ftdist.library.synthesis.mentions import find_mentions
from ftdist.library.synthesis.probe_facts import KnownFact
from ftdist.library.synthesis.unanswerable import (
    guard_terms,
    name_in_texts,
    unanswerable_questions,
)

_WORDINGS, _FEW_PARAPHRASES = 2, 4
_AS_WRITTEN = ("passage", "as written")


def with_unanswerable(sources: Sequence[SourceSamples], *, paraphrases: int) -> list[SourceSamples]:
    """The sources with questions about their things that the library does not answer.

    Args:
        sources: of the library and of replay, with all texts of their documents.
        paraphrases: wordings of every other question.
    """
    shards = [(folder, s.name) for s in sources if s.role == LIBRARY for folder in s.folders]
    source_of: dict[str, str] = {}
    facts: list[KnownFact] = []
    for folder, name in shards:
        for fact in islice(read_facts([folder]), MAX_FACTS - len(facts)):
            facts.append(fact)
            source_of[fact.document] = name
    if not facts:
        return list(sources)
    mentions = find_mentions(
        _texts([folder for folder, _ in shards]),
        terms=guard_terms(facts),
        names=map(name_in_texts, facts),
    )
    wordings = _WORDINGS if paraphrases >= _FEW_PARAPHRASES else 1
    made: dict[str, list[Sample]] = {source.name: [] for source in sources}
    for each in unanswerable_questions(facts, mentions=mentions, wordings=wordings):
        made[source_of[each.document]] += [
            Sample(
                messages=as_messages(question, answer),
                location=each.document,
                made_by="unanswerable",
                doc_id=each.document,
            )
            for question, answer in each.exchanges
        ]
    return [_with(source, made[source.name]) for source in sources]


def _with(source: SourceSamples, samples: Sequence[Sample]) -> SourceSamples:
    if samples:
        source.stats.made_by["unanswerable"] = len(samples)
    return replace(source, unanswerable=tuple(samples))


def _texts(folders: Sequence[Path]) -> Iterator[Sample]:
    """The documents and conversations as written, the held-out and the left-out ones too."""
    for folder in folders:
        for part in (*PARTS, LEFT_OUT):
            samples = read_samples(folder / f"{part}{SUFFIX}")
            yield from (sample for sample in samples if sample.made_by in _AS_WRITTEN)
