"""Whether what a comparison asks was trained on: words in a row shared with training text."""

from collections.abc import Iterator, Sequence
from typing import Any

from ftdist.config.schema import RunConfig
from ftdist.errors import FtdistError
from ftdist.evaluation.eval_set import Inputs
from ftdist.library.schema import Conversation, Passage
from ftdist.prepare.mixture import find_sources
from ftdist.prepare.tokenize_shard import PORTION_BYTES, parts_of
from ftdist.text.decontamination import find_contaminated
from ftdist.text.ngram_hashes import Hashes, ngram_hashes, ngrams_of_texts

WORDS = 8
"""In a row. Of a shorter question all words, which are then looked for among short texts."""

MAX_BYTES = 1 << 30
"""Larger libraries are not looked through: their words alone take 0.7 minutes a GiB on one core."""


def seen_in_training(inputs: Inputs, config: RunConfig) -> dict[str, dict[str, Any]] | None:
    """What shares words in a row with the sources of a run, by kind.

    Args:
        inputs: what is asked.
        config: of the run; its sources are read as they are now.

    Returns:
        For probes, general questions and texts: how many of how many, and the first of them. None
        where the sources are too large, or no longer there.
    """
    asked = {
        "probes": [probe.question for probe in inputs.probes if probe.kind != "general_open"],
        "general": [item.question for item in inputs.general],
        "texts": list(inputs.texts),
    }
    units = [ngram_hashes(text, n=WORDS) for texts in asked.values() for text in texts]
    try:
        training = _training(config)
        if training is None:
            return None
        met = iter(find_contaminated(units, training).tolist())
    except (FtdistError, OSError):
        return None
    found = {}
    for kind, texts in asked.items():
        known = [text for text in texts if next(met)]
        if texts:
            first = known[0] if known else ""
            found[kind] = {"contaminated": len(known), "n": len(texts), "first": first}
    return found


def _training(config: RunConfig) -> Iterator[Hashes] | None:
    sources = find_sources(config)
    parts = [
        part
        for name, files in sources.items()
        for _, part in parts_of(files, source=name, portion_bytes=PORTION_BYTES)
    ]
    if sum(path.stat().st_size for path in {part.path for part in parts}) > MAX_BYTES:
        return None
    texts = (text for part in parts for row in part.rows for text in _texts(row))
    return ngrams_of_texts(texts, sizes=(WORDS,))


def _texts(row: object) -> Sequence[str]:
    match row:
        case Conversation():
            return [message["content"] for message in row.messages]
        case Passage():
            return [row.text]
    return []
