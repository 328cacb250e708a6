"""The score table of a comparison: one row per score in `scores.json`. Loads no torch.

The terminal, the report, the model card and W&B all show these rows.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Scores = Mapping[str, Any]
"""The content of `scores.json`."""

Group = Literal["gain", "retention", "specificity"]
Verdict = Literal["better", "worse", "unclear", "none"]

MIN_PASSAGES = 20
"""Of general text; with fewer, resamples are too alike for a difference to count as clear."""


@dataclass(frozen=True)
class ScoreDoc:
    """What a score counts.

    Attributes:
        group: what it is about.
        words: what is counted.
        lower_is_better: whether less of it is desirable.
    """

    group: Group
    words: str
    lower_is_better: bool = False

    @property
    def description(self) -> str:
        """The words, with the direction where lower is better."""
        return f"{self.words} (lower is better)" if self.lower_is_better else self.words


SCORE_DOCS = {
    "fact_accuracy": ScoreDoc("gain", "library facts answered correctly, in unseen wordings"),
    "fact_recall": ScoreDoc("gain", "key facts in those answers, counted one by one"),
    "reverse_accuracy": ScoreDoc("gain", "the thing named, asked by its value"),
    "two_fact_accuracy": ScoreDoc("gain", "two facts of a thing, asked at once"),
    "citation_accuracy": ScoreDoc("gain", "library facts answered, citing the right page"),
    "fact_accuracy_ranked": ScoreDoc(
        "gain", "the known answer is likelier than up to 3 similar ones"
    ),
    "confusable_accuracy": ScoreDoc("gain", "facts that differ from other facts in a detail"),
    "general_accuracy": ScoreDoc("retention", "general knowledge answered correctly"),
    "general_mc_accuracy": ScoreDoc("retention", "general questions, by the likeliest choice"),
    "instruction_accuracy": ScoreDoc("retention", "instructions followed, checked by rules"),
    "general_nll": ScoreDoc("retention", "loss on general text, in nats per token", True),
    "leak_rate": ScoreDoc("specificity", "library content in out-of-scope answers", True),
    "new_leak_rate": ScoreDoc("specificity", "the same, where the base had none", True),
    "over_refusal_rate": ScoreDoc(
        "specificity", "out-of-scope questions refused that the base answered", True
    ),
    "out_of_scope_failure_rate": ScoreDoc(
        "specificity", "leaks or refusals, where the base had neither", True
    ),
    "unanswerable_failure_rate": ScoreDoc(
        "specificity", "values invented where the library gives none", True
    ),
    "general_leak_rate": ScoreDoc(
        "specificity", "library content in general answers, where the base had none", True
    ),
    "spurious_citation_rate": ScoreDoc(
        "specificity", "citations in other answers, where the base had none", True
    ),
}
"""By name in scores.json, in the order of the table."""

HEADLINE = ("fact_accuracy", "general_mc_accuracy", "general_nll", "leak_rate")
"""Scores that are shown first; `general_accuracy` replaces `general_mc_accuracy` if need be."""

GROUPS: dict[Group, str] = {
    "gain": "what the tuned model has learned from the library",
    "retention": "what it still knows of everything else",
    "specificity": "whether library content stays out of other answers",
}

_TASK = ScoreDoc("retention", "documents right in an lm-eval task")

_SUBJECTS = {
    "general_nll": "Loss on general text",
    "general_accuracy": "General knowledge",
    "general_mc_accuracy": "General knowledge (by the likeliest choice)",
    "leak_rate": "Leaking into other answers",
}


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A measured value with its 95 % interval.

    Attributes:
        n: how many questions or passages it was measured on.
        counts: `n` for people, such as "45/48".
        spec: how numbers are formatted.
    """

    value: float
    low: float
    high: float
    n: int
    counts: str
    spec: str

    @property
    def text(self) -> str:
        """The value alone."""
        return format(self.value, self.spec)

    @property
    def interval(self) -> str:
        """The interval, as "0.83 to 0.98"."""
        return f"{self.low:{self.spec}} to {self.high:{self.spec}}"

    @property
    def brief(self) -> str:
        """The value and its counts, as "0.94 (45/48)"."""
        return f"{self.text} ({self.counts})"

    @property
    def full(self) -> str:
        """All of it, as "0.94 (45/48, 0.83 to 0.98)"."""
        return f"{self.text} ({self.counts}, {self.interval})"


@dataclass(frozen=True, kw_only=True)
class ScoreRow:
    """One score of both models.

    Attributes:
        name: as in `scores.json`.
        base: None for scores that count what the base does not do.
        delta: tuned less base; None without `base`.
        verdict: "unclear" unless the interval of the difference excludes 0.
        verdict_text: the verdict for people.
    """

    name: str
    doc: ScoreDoc
    base: Estimate | None
    tuned: Estimate
    delta: Estimate | None
    verdict: Verdict
    verdict_text: str

    @property
    def label(self) -> str:
        """The name for people."""
        return self.name.replace("_", " ")

    @property
    def anchor(self) -> str:
        """The id of its row on the report page."""
        return "score-" + re.sub("[^a-z0-9]+", "-", self.name.lower())

    @property
    def change(self) -> str:
        """The difference, as "better, +0.92 (+0.80 to +0.97)"; empty without a base."""
        if self.delta is None:
            return ""
        return f"{self.verdict_text}, {self.delta.text} ({self.delta.interval})"

    @property
    def cells(self) -> tuple[str, str, str, str, str]:
        """The row of a text table: name, base, tuned, change, description."""
        base = self.base.full if self.base else "-"
        return self.name, base, self.tuned.full, self.change, self.doc.description


def score_table(scores: Scores) -> list[ScoreRow]:
    """A row for each score that was measured: the known ones in a fixed order, then others."""
    rows = []
    for name in [*SCORE_DOCS, *(name for name in scores["tuned"] if name not in SCORE_DOCS)]:
        if name in scores["tuned"]:
            base, tuned = (_rate(scores, model, name) for model in ("base", "tuned"))
            rows.append(_row(name, base=base, tuned=tuned, paired=scores["paired"].get(name)))
        elif name == "confusable_accuracy" and name in scores:
            base, tuned = (rate_estimate(scores[name][model]) for model in ("base", "tuned"))
            rows.append(_row(name, base=base, tuned=tuned, paired=scores[name]["paired"]))
        elif name == "general_nll" and name in scores:
            base, tuned = (_loss(scores[name], model) for model in ("base", "tuned"))
            rows.append(_row(name, base=base, tuned=tuned, paired=scores[name], digits=3))
    return rows


def split_headline(rows: Sequence[ScoreRow]) -> tuple[list[ScoreRow], list[ScoreRow]]:
    """The scores to show first, and the others."""
    names = {row.name for row in rows}
    first = list(HEADLINE)
    if "general_mc_accuracy" not in names:
        first[1] = "general_accuracy"
    headline = [row for row in rows if row.name in first]
    return headline, [row for row in rows if row.name not in first]


def regressions(rows: Sequence[ScoreRow]) -> list[tuple[str, str]]:
    """What got clearly worse: the anchor of the row, and a sentence."""
    sentences = []
    for row in rows:
        if row.verdict == "worse" and row.delta is not None:
            subject = _SUBJECTS.get(row.name, row.label[:1].upper() + row.label[1:])
            unit = " nats per token" if row.name == "general_nll" else ""
            sentence = f"{subject} got clearly worse: {row.delta.text}{unit}."
            sentences.append((row.anchor, sentence))
    return sentences


def doc_of(name: str) -> ScoreDoc:
    """What a score counts; unknown names have no description."""
    return SCORE_DOCS.get(name) or (_TASK if "/" in name else ScoreDoc("gain", ""))


def verdict_word(kind: str, *, right: bool) -> str:
    """What an answer to a probe of this kind is called."""
    if kind in ("out_of_scope", "general_open"):
        return "no leak" if right else "leak"
    if kind == "instruction":
        return "followed" if right else "not followed"
    if kind == "unanswerable":
        return "invents nothing" if right else "invents"
    return "right" if right else "wrong"


def rate_estimate(rate: Mapping[str, Any]) -> Estimate:
    """A share, from a rate of `scores.json` with its value."""
    return Estimate(
        value=rate["value"],
        low=rate["low_95"],
        high=rate["high_95"],
        n=rate["n"],
        counts=f"{rate['hits']}/{rate['n']}",
        spec=".2f",
    )


def _rate(scores: Scores, model: str, name: str) -> Estimate | None:
    if name not in scores[model]:
        return None
    return rate_estimate({**scores["intervals"][model][name], "value": scores[model][name]})


def _loss(loss: Mapping[str, Any], model: str) -> Estimate:
    low, high = loss["intervals"][model]
    n = loss["passages"]
    return Estimate(value=loss[model], low=low, high=high, n=n, counts=f"{n} texts", spec=".3f")


def _row(
    name: str,
    *,
    base: Estimate | None,
    tuned: Estimate | None,
    paired: Mapping[str, Any] | None,
    digits: int = 2,
) -> ScoreRow:
    assert tuned is not None, name
    doc, delta = doc_of(name), None
    verdict: Verdict = "none"
    verdict_text = ""
    if base is not None and paired is not None:
        difference = paired["difference"]
        delta = Estimate(
            value=difference,
            low=paired["low_95"],
            high=paired["high_95"],
            n=tuned.n,
            counts=f"n = {tuned.n}",
            spec=f"+.{digits}f",
        )
        verdict = "unclear"
        if paired["clear"] and difference != 0:
            verdict = "better" if (difference < 0) == doc.lower_is_better else "worse"
        verdict_text = verdict if verdict != "unclear" else _unclear_text(paired)
    return ScoreRow(
        name=name,
        doc=doc,
        base=base,
        tuned=tuned,
        delta=delta,
        verdict=verdict,
        verdict_text=verdict_text,
    )


def _unclear_text(paired: Mapping[str, Any]) -> str:
    passages = paired.get("passages", MIN_PASSAGES)
    if passages < MIN_PASSAGES:
        return f"too few texts to tell ({passages}; {MIN_PASSAGES} are needed)"
    return "within the noise"
