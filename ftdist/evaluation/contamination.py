"""Detect evaluation questions that occur in the training text, by shared word n-grams."""

from collections.abc import Iterator, Sequence
from typing import Any

from ftdist.config.schema import RunConfig
from ftdist.errors import FtdistError
from ftdist.evaluation.eval_set import EvalSet
from ftdist.library.chat_text import message_texts
from ftdist.library.schema import Conversation, Passage
from ftdist.prepare.mixture import find_source_files
from ftdist.prepare.portions import PORTION_BYTES, parts_of
from ftdist.text.decontamination import find_contaminated
from ftdist.text.ngram_hashes import Hashes, ngram_hashes, ngrams_of_texts

WORDS = 8
"""Length of the n-grams. A shorter question is matched with all its words."""

MAX_BYTES = 1 << 30
"""Larger libraries are not searched: one core needs 0.7 minutes per GiB."""


def seen_in_training(eval_set: EvalSet, config: RunConfig) -> dict[str, dict[str, Any]] | None:
    """Find the evaluation items that share n-grams with the sources of a run.

    Args:
        eval_set: probes, general questions, instructions and texts.
        config: of the run, whose current sources are read.

    Returns:
        For probes, general questions, instructions and texts: the number of contaminated items,
        the number of items, and the first contaminated one. None if the sources are too large or
        missing.
    """
    questions = {
        "probes": [
            probe.question
            for probe in eval_set.probes
            if probe.kind not in ("general_open", "instruction")
        ],
        "general": [item.question for item in eval_set.general],
        "instructions": [
            probe.question for probe in eval_set.probes if probe.kind == "instruction"
        ],
        "texts": list(eval_set.texts),
    }
    units = [ngram_hashes(text, n=WORDS) for texts in questions.values() for text in texts]
    try:
        training = _training(config)
        if training is None:
            return None
        contaminated = iter(find_contaminated(units, training).tolist())
    except (FtdistError, OSError):
        return None
    contamination = {}
    for kind, texts in questions.items():
        known = [text for text in texts if next(contaminated)]
        if texts:
            first = known[0] if known else ""
            contamination[kind] = {"contaminated": len(known), "n": len(texts), "first": first}
    return contamination


def _training(config: RunConfig) -> Iterator[Hashes] | None:
    sources = find_source_files(config)
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
            return [text for message in row.messages for text in message_texts(message)]
        case Passage():
            return [row.text]
    return []
