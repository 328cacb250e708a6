"""Probes of a library: the questions of `ftdist compare`, decontaminated.

They are written twice: `probes.jsonl`, and as a table for `datasets`.

fact          a question of the library in a form that is not trained; shares no
              `split.decontamination_ngram` words in a row with training.
              Of the facts of things, also in reverse and two at once (`probe_facts`).
unanswerable  a question about a thing of the library that the library does not answer.
out_of_scope  a question about something else; shares no `OUT_OF_SCOPE_NGRAM` words in a row with
              training, and training contains neither the name in it nor the thing it is about.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from hashlib import blake2b
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
from pyarrow import parquet

from ftdist.config.schema.curate import SplitConfig
from ftdist.io.jsonl import read_json_lines, write_whole
from ftdist.library.chat_text import message_texts
from ftdist.library.retention.out_of_scope import OutOfScopeQuestion
from ftdist.library.retention.replay import RetentionSet
from ftdist.library.schema import ProbeRow, Sample
from ftdist.library.store.dataset import PROBES_FILE, PROBES_TABLE
from ftdist.library.store.samples import read_samples
from ftdist.library.synthesis.mentions import find_mentions
from ftdist.library.synthesis.probe_facts import (
    FACTS_FILE,
    NO_ANSWER,
    KnownFact,
    Owners,
    reverse_probes,
    two_fact_probes,
)
from ftdist.library.synthesis.probe_unanswerable import PLAUSIBLE, unanswerable_probes
from ftdist.text.decontamination import Decontamination, decontaminate, find_contaminated
from ftdist.text.matching import contains_all
from ftdist.text.ngram_hashes import Hashes, ngrams_of_texts, word_hashes, word_ngrams

OUT_OF_SCOPE_NGRAM = 8
"""Words in a row that an out-of-scope probe may not share with training."""

_SEPARATE_SHARE = 4
"""Fact probes for each probe in reverse, of two facts, or unanswerable, at most."""

MAX_FACTS = 5_000
"""Facts of things that are used."""

_NAME_WORDS = (1, 2, 3)
"""Words of a name or thing: K-88 has two."""

_SCHEMA = pyarrow.schema(
    [
        ("question", pyarrow.string()),
        ("answer", pyarrow.string()),
        ("keys", pyarrow.list_(pyarrow.string())),
        ("kind", pyarrow.string()),
        ("document", pyarrow.string()),
        ("section", pyarrow.string()),
        ("evidence", pyarrow.string()),
        ("form", pyarrow.string()),
    ]
)


@dataclass(frozen=True, kw_only=True)
class ProbeCounts:
    """How many probes were written, and what they were compared with."""

    fact: int
    unanswerable: int
    out_of_scope: int
    dropped: int
    """Fact probes that share an n-gram with training."""

    ngrams_checked: int
    training_ngrams: int
    forms: dict[str, int]
    """Fact probes by how they differ from the wordings that are trained."""

    def values(self) -> dict[str, Any]:
        """For the manifest."""
        total = self.fact + self.unanswerable + self.out_of_scope
        return {"number": total, "out_of_scope_ngram": OUT_OF_SCOPE_NGRAM, **asdict(self)}


def write_probes(
    folder: Path, shards: Sequence[Path], *, retention: RetentionSet, split: SplitConfig
) -> ProbeCounts:
    """Write the probes that share nothing with training; no file if there are none.

    Out-of-scope probes need to know what a leak would be: what fact probes ask, or the product
    names of the config; guessed names only if there are no fact probes.

    Args:
        folder: of the library, with its data.
        shards: folders of samples with candidates for fact probes, and with facts.
        retention: has candidates for out-of-scope probes.
        split: of the curation.
    """
    plain, result = _fact_probes(folder, shards, split=split)
    separate = _probes_of_things(folder, shards, split=split)
    facts = plain + [probe for probe in separate if probe.kind == "fact"]
    unanswerable = [probe for probe in separate if probe.kind != "fact"]
    # Names of things, which reverse probes ask for, are no leak.
    is_plain = any(probe.form != "reverse" for probe in plain)
    keys = retention.products if retention.is_named or not is_plain else ()
    others = _out_of_scope(folder, retention.candidates) if is_plain or keys else []
    probes = facts + unanswerable
    probes += [
        ProbeRow(question=question, answer=NO_ANSWER, keys=keys, kind="out_of_scope")
        for question in others[: split.num_out_of_scope_probes]
    ]
    if probes:
        write_whole(folder / PROBES_FILE, "".join(probe.to_json() for probe in probes))
        table = pyarrow.Table.from_pylist([asdict(probe) for probe in probes], schema=_SCHEMA)
        parquet.write_table(table, folder / PROBES_TABLE, compression="zstd")
    return ProbeCounts(
        fact=len(facts),
        unanswerable=len(unanswerable),
        out_of_scope=len(probes) - len(facts) - len(unanswerable),
        dropped=int(result.moved.sum()),
        ngrams_checked=result.heldout_ngrams,
        training_ngrams=result.training_ngrams,
        forms=dict(sorted(Counter(probe.form for probe in facts).items())),
    )


def _fact_probes(
    folder: Path, shards: Sequence[Path], *, split: SplitConfig
) -> tuple[list[ProbeRow], Decontamination]:
    """Each question once, those of training left out."""
    by_question: dict[str, ProbeRow] = {}
    for shard in shards:
        for row in read_json_lines(shard / PROBES_FILE):
            probe = ProbeRow(**{**row, "keys": tuple(row["keys"])})
            if contains_all(probe.answer, probe.keys):
                by_question.setdefault(probe.question.casefold(), probe)
    clean, result = _clean(folder, list(by_question.values()), split=split)
    return _evenly(clean, split.num_probes), result


def _probes_of_things(
    folder: Path, shards: Sequence[Path], *, split: SplitConfig
) -> list[ProbeRow]:
    """Reverse, two-fact and unanswerable probes, a quarter as many of each as of fact probes."""
    facts = list(islice(read_facts(shards), MAX_FACTS))
    count = split.num_probes // _SEPARATE_SHARE
    if not facts or not count:
        return []
    found = find_mentions(
        _training_samples(folder),
        terms=chain(
            PLAUSIBLE,
            *(telling.split() for telling in PLAUSIBLE.values()),
            (fact.attribute for fact in facts),
        ),
        names=(fact.name for fact in facts),
    )
    kinds = (
        reverse_probes(facts, owners=Owners.of(read_facts(shards))),
        two_fact_probes(facts),
        unanswerable_probes(facts, mentions=found.holds),
    )
    candidates = [
        [each for each in kind if each.kind != "fact" or contains_all(each.answer, each.keys)]
        for kind in kinds
    ]
    clean, _ = _clean(folder, list(chain.from_iterable(candidates)), split=split)
    usable = {probe.question for probe in clean}
    return [
        probe
        for each in candidates
        for probe in _evenly([probe for probe in each if probe.question in usable], count)
    ]


def read_facts(shards: Sequence[Path]) -> Iterator[KnownFact]:
    """The facts of things, from folders of samples."""
    return (KnownFact(**row) for shard in shards for row in read_json_lines(shard / FACTS_FILE))


def _clean(
    folder: Path, probes: Sequence[ProbeRow], *, split: SplitConfig
) -> tuple[list[ProbeRow], Decontamination]:
    """The probes that share no words in a row with training."""
    lengths = (split.decontamination_ngram,)
    ngrams = [_ngrams(probe.question, lengths=lengths) for probe in probes]
    result = decontaminate(ngrams, lambda: _training_ngrams(folder, lengths=lengths))
    clean = [probe for probe, dropped in zip(probes, result.moved, strict=True) if not dropped]
    return clean, result


def _evenly(probes: Sequence[ProbeRow], count: int) -> list[ProbeRow]:
    """So many of them, from all documents and conversations alike, in their order."""
    by_hash = sorted(probes, key=lambda probe: blake2b(probe.question.encode()).digest())
    chosen = {probe.question for probe in by_hash[:count]}
    return [probe for probe in probes if probe.question in chosen]


def _out_of_scope(folder: Path, candidates: Sequence[OutOfScopeQuestion]) -> list[str]:
    """The candidates that training does not contain."""
    ngrams = [
        np.concatenate(
            [
                _ngrams(candidate.question, lengths=(OUT_OF_SCOPE_NGRAM,)),
                *(_ngrams(words, lengths=_NAME_WORDS[-1:]) for words in candidate.words),
            ]
        )
        for candidate in candidates
    ]
    if not ngrams:
        return []
    trained = find_contaminated(
        ngrams, _training_ngrams(folder, lengths=(OUT_OF_SCOPE_NGRAM, *_NAME_WORDS))
    )
    return [each.question for each, known in zip(candidates, trained, strict=True) if not known]


def _training_ngrams(folder: Path, *, lengths: Sequence[int]) -> Iterator[Hashes]:
    """All n-grams of the given lengths in all training samples."""
    return ngrams_of_texts(_training_texts(folder), sizes=lengths)


def _training_samples(folder: Path) -> Iterator[Sample]:
    paths = sorted((folder / "data").glob("*-train.parquet"))
    return chain.from_iterable(map(read_samples, paths))


def _training_texts(folder: Path) -> Iterator[str]:
    """The texts and messages of all training samples."""
    return (
        text
        for sample in _training_samples(folder)
        for text in (sample.text, *chain.from_iterable(map(message_texts, sample.messages)))
    )


def _ngrams(text: str, *, lengths: Sequence[int]) -> Hashes:
    hashes = word_hashes(text)
    return np.concatenate([word_ngrams(hashes, n=length) for length in lengths])
