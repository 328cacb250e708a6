"""Count how often a run's training showed the fact of each probe, and the recall by that count.

A sample of the library shows a fact if its text or answers hold every key of the probe, and it
shares a word with the probe's question: two beside keys of a single digit. A pass of the run shows
each sample of a source as often as the source's weight and the sample's repeats say; the packing of
rows is not simulated, nor is what `library.held_out_fraction` keeps back.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from pyarrow.lib import ArrowException

from ftdist.config.schema import RunConfig
from ftdist.errors import FtdistError
from ftdist.evaluation.probes import Probe
from ftdist.evaluation.scoring.clustered import ClusteredRate
from ftdist.evaluation.scoring.judge import AnswerVerdict, key_counts
from ftdist.library.chat_text import message_texts
from ftdist.library.schema import Conversation, Passage, Row
from ftdist.library.store.dataset import LIBRARY
from ftdist.plan.plan import Plan
from ftdist.prepare.mixture import find_source_files
from ftdist.prepare.oversampling import ONCE, fact_hash, repeats_per_pass
from ftdist.prepare.portions import PORTION_BYTES, parts_of
from ftdist.rundir import RunDir
from ftdist.text.matching import KeyText, Words

MAX_BYTES = 1 << 26
"""Larger libraries are not searched."""

BUCKETS = (0, 1, 8, 16, 32, 64, 128)
"""Least exposures of each bucket; the last has no upper end."""

_MIN_LETTERS = 4
_SMALL_WORDS = """
about also another been does from give given have into know like manual many more most much need
should some tell than that their them then there these they thing this what when where which will
with would your"""
_SMALL = frozenset(_SMALL_WORDS.split())
_SHARED_BESIDE_A_DIGIT = 2
"""Words of the question beside a key such as "4", which many texts hold."""


def count_exposures(probes: Sequence[Probe], run: RunDir, config: RunConfig) -> list[float] | None:
    """How often the run showed the fact of each fact probe, in the order of the fact probes.

    Args:
        probes: all probes; only those of `Probe.is_plain_fact` count.
        run: whose plan and exported step say how far it trained.
        config: of the run, whose current sources are read.

    Returns:
        None if the plan or the sources are missing, or the sources are too large.
    """
    facts = _Facts([probe for probe in probes if probe.is_plain_fact])
    try:
        plan = Plan.from_json(run.plan.read_text(encoding="utf-8"))
        passes = _passes(plan, run)
    except (FtdistError, OSError, ValueError, TypeError, KeyError):
        return None
    try:
        sources = find_source_files(config)
        parts = {
            name: [part for _, part in parts_of(files, source=name, portion_bytes=PORTION_BYTES)]
            for name, files in sources.items()
            if passes.get(name)
        }
        paths = {part.path for each in parts.values() for part in each}
        if sum(path.stat().st_size for path in paths) > MAX_BYTES:
            return None
        for name, each in parts.items():
            rows = [row for part in each for row in part.rows]
            oversample = sources[name].role == LIBRARY
            for row, repeats in zip(rows, _repeats(rows, oversample=oversample), strict=True):
                facts.add(row, weight=passes[name] * repeats)
    except (FtdistError, OSError, ArrowException):
        return None
    return facts.exposures


def exposure_scores(
    exposures: Sequence[float],
    probes: Sequence[Probe],
    *,
    base: Sequence[AnswerVerdict],
    tuned: Sequence[AnswerVerdict],
) -> dict[str, Any]:
    """The share of key facts found by how often the fact was seen, for `scores.json`.

    Args:
        exposures: from `count_exposures`.
        probes: all probes.
        base: the base's verdicts, in the order of the probes.
        tuned: the tuned model's.
    """
    counts = {"base": key_counts(probes, base), "tuned": key_counts(probes, tuned)}
    buckets = []
    for low, high in zip(BUCKETS, [*BUCKETS[1:], None], strict=True):
        members = [
            n
            for n, count in enumerate(map(_whole, exposures))
            if count >= low and (high is None or count < high)
        ]
        if members:
            seen = [exposures[n] for n in members]
            buckets.append(
                {
                    "low": low,
                    "high": None if high is None else high - 1,
                    "mean": sum(seen) / len(seen),
                    "probes": len(members),
                    **{
                        model: ClusteredRate(
                            [hits[n] for n in members], [sizes[n] for n in members]
                        ).fields()
                        for model, (hits, sizes) in counts.items()
                    },
                }
            )
    mean = sum(exposures) / len(exposures)
    return {"mean": mean, "never_seen": sum(not count for count in exposures), "buckets": buckets}


def _whole(count: float) -> int:
    """Whole exposures; a fact that a part of the run shows has one."""
    return max(1, int(count)) if count else 0


class _Facts:
    """The facts of probes, and how often they were seen."""

    def __init__(self, probes: Sequence[Probe]) -> None:
        self.exposures = [0.0] * len(probes)
        self._keys = [[KeyText(key).words for key in probe.keys] for probe in probes]
        self._by_anchor: dict[str, list[int]] = {}
        for number, keys in enumerate(self._keys):
            for anchor in _anchors(max(keys, key=_length)) if keys else ():
                self._by_anchor.setdefault(anchor, []).append(number)
        self._least_shared = [
            _SHARED_BESIDE_A_DIGIT if all(map(_is_bare_digit, keys)) else 1 for keys in self._keys
        ]
        self._question_words = [_content(KeyText(probe.question).words) for probe in probes]
        self._shown_by = lru_cache(maxsize=4096)(self._find)

    def add(self, row: object, *, weight: float) -> None:
        """Count a sample that the run shows `weight` times."""
        for question, text in _texts(row):
            for number in self._shown_by(text):
                question_words = self._question_words[number]
                sample_words = _content(KeyText(f"{question}\n{text}").words)
                if len(question_words & sample_words) >= min(
                    self._least_shared[number], len(question_words)
                ):
                    self.exposures[number] += weight

    def _find(self, text: str) -> list[int]:
        """The facts whose keys a text holds."""
        whole = KeyText(text)
        found = whole.words
        tokens = {
            *found,
            *map("".join, pairwise(found)),
            *map("".join, zip(found, found[1:], found[2:], strict=False)),
        }
        candidates = {n for token in tokens for n in self._by_anchor.get(token, ())}
        return [n for n in sorted(candidates) if all(map(whole.find_words, self._keys[n]))]


def _length(key: Words) -> int:
    return len("".join(key))


def _anchors(key: Words) -> set[str]:
    """The longest word of a key, and the key as one: a text with it holds one or the other."""
    return {max(key, key=len), "".join(key)}


def _is_bare_digit(key: Words) -> bool:
    return len(key) == 1 and key[0].isdigit() and len(key[0]) == 1


def _content(words: Words) -> frozenset[str]:
    """The words that say what a text is about."""
    return frozenset(
        word for word in words if len(word) >= _MIN_LETTERS and word not in _SMALL
    ) | frozenset(word for word in words if word.isdigit())


def _texts(row: object) -> Iterator[tuple[str, str]]:
    """Each text of a sample that the loss covers, with the messages before it."""
    match row:
        case Passage():
            yield "", row.text
        case Conversation():
            before: list[str] = []
            for message in row.messages:
                text = "\n".join(message_texts(message))
                if message["role"] == "assistant":
                    yield "\n".join(before), text
                before.append(text)


def _repeats(rows: Sequence[Row], *, oversample: bool) -> list[int]:
    """How often a pass shows each row."""
    facts = [
        fact_hash(row, "\n".join(text for _, text in _texts(row)).encode())
        if oversample and isinstance(row, Conversation)
        else ONCE
        for row in rows
    ]
    return [int(repeats) for repeats in repeats_per_pass(np.array(facts, dtype=np.uint64))]


def _passes(plan: Plan, run: RunDir) -> dict[str, float]:
    """How often the exported model has seen each sample of a source, by source of the library."""
    exported = [
        event["step"] for event in run.read_events() if event.get("event") == "model_exported"
    ]
    part = min(1.0, exported[-1] / plan.steps) if exported else 1.0
    return {
        source.name: part * plan.times_seen(source)
        for source in plan.library.sources
        if source.own and source.tokens
    }
