"""`probes.jsonl` of a library: what `ftdist compare` asks, shown to be apart from training.

fact          a question of the library in a form that is not trained; shares no run of
              `split.decontamination_ngram` words with anything that is trained.
out_of_scope  a question about something else; shares no run of `OUT_OF_SCOPE_NGRAM` words with
              it, and neither the name in it nor the thing it is about is anywhere in training.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ftdist.config.schema.curate import SplitConfig
from ftdist.io.jsonl import write_whole
from ftdist.library.retention.out_of_scope import OutOfScopeQuestion
from ftdist.library.retention.replay import Kept
from ftdist.library.store.dataset import read_samples
from ftdist.text.decontamination import Decontamination, decontaminate, find_contaminated
from ftdist.text.ngram_hashes import Hashes, ngrams_of_texts, word_hashes, word_ngrams

OUT_OF_SCOPE_NGRAM = 8
"""Words in a row that an out-of-scope probe may not share with training."""

_NAME_WORDS = (1, 2, 3)
"""Words of a name or thing: K-88 has two."""

_NOT_KNOWN = "The library says nothing of it."

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Probes:
    """How many were written, and what was compared."""

    fact: int
    out_of_scope: int
    dropped: int
    """Fact probes that training asks in the same words."""

    ngrams_checked: int
    training_ngrams: int

    def values(self) -> dict[str, int]:
        """As the manifest holds them."""
        number = self.fact + self.out_of_scope
        return {"number": number, "out_of_scope_ngram": OUT_OF_SCOPE_NGRAM, **asdict(self)}


def write_probes(aside: Path, found: Sequence[Path], *, kept: Kept, split: SplitConfig) -> Probes:
    """Write the probes that share nothing with training; no file where there are none.

    Out-of-scope probes need to know what a leak would be: what fact probes ask, and the products
    that the curation names; guessed ones only where there are no fact probes.

    Args:
        aside: the library, with its data.
        found: files of fact probes.
        kept: candidates for out-of-scope probes.
        split: of the curation.
    """
    fact, proof = _fact(aside, found, split=split)
    keys = list(kept.products) if kept.named or not fact else []
    out_of_scope = _out_of_scope(aside, kept.strange) if fact or keys else []
    rows = fact + [
        {"question": question, "answer": _NOT_KNOWN, "keys": keys, "kind": "out_of_scope"}
        for question in out_of_scope[: split.num_out_of_scope_probes]
    ]
    if rows:
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        write_whole(aside / "probes.jsonl", text)
    return Probes(
        fact=len(fact),
        out_of_scope=len(rows) - len(fact),
        dropped=int(proof.moved.sum()),
        ngrams_checked=proof.heldout_ngrams,
        training_ngrams=proof.training_ngrams,
    )


def _fact(
    aside: Path, found: Sequence[Path], *, split: SplitConfig
) -> tuple[list[Row], Decontamination]:
    rows: dict[str, Row] = {}
    for path in found:
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            rows.setdefault(row["question"].casefold(), row)
    lengths = (split.decontamination_ngram,)
    asked = [_runs(row["question"], lengths=lengths) for row in rows.values()]
    proof = decontaminate(asked, lambda: _trained(aside, lengths=lengths))
    clean = [row for row, gone in zip(rows.values(), proof.moved, strict=True) if not gone]
    return clean[: split.num_probes], proof


def _out_of_scope(aside: Path, candidates: Sequence[OutOfScopeQuestion]) -> list[str]:
    """The candidates that are strange to training; each question once, its first form."""
    units = [
        np.concatenate(
            [
                _runs(strange.question, lengths=(OUT_OF_SCOPE_NGRAM,)),
                *(_runs(words, lengths=_NAME_WORDS[-1:]) for words in strange.words),
            ]
        )
        for strange in candidates
    ]
    if not units:
        return []
    met = find_contaminated(units, _trained(aside, lengths=(OUT_OF_SCOPE_NGRAM, *_NAME_WORDS)))
    return [strange.question for strange, known in zip(candidates, met, strict=True) if not known]


def _trained(aside: Path, *, lengths: Sequence[int]) -> Iterator[Hashes]:
    """All runs of so many words in all that is read or trained."""
    texts = (
        text
        for path in sorted((aside / "data").glob("*-train.arrow"))
        for sample in read_samples(path)
        for text in (sample.text, *(message["content"] for message in sample.messages))
    )
    return ngrams_of_texts(texts, sizes=lengths)


def _runs(text: str, *, lengths: Sequence[int]) -> Hashes:
    words = word_hashes(text)
    return np.concatenate([word_ngrams(words, n=length) for length in lengths])
