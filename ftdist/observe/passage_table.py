"""Fine-tuning beside retrieval: the scores with and without passages in the prompt. No torch.

The terminal, the report, the model card and W&B all show these rows and sentences.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ftdist.observe.score_table import (
    SCORE_DOCS,
    Estimate,
    ScoreDoc,
    Scores,
    Verdict,
    doc_of,
    rate_estimate,
)

COLUMNS = {
    "base": "base",
    "base_passage": "base + passage",
    "base_retrieved": "base + retrieval",
    "tuned": "tuned",
    "tuned_passage": "tuned + passage",
}
"""By name in `scores.json`, the heading."""

PASSAGE_COLUMNS = ("base_passage", "base_retrieved", "tuned_passage")
"""Those asked with passages."""

DIFFERENCES = {
    "tuned - base_retrieved": "tuned - (base + retrieval)",
    "tuned - base_passage": "tuned - (base + passage)",
    "tuned_passage - base_passage": "(tuned + passage) - (base + passage)",
}
"""The shown ones by their names in `scores.json`."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A difference of two columns.

    Attributes:
        name: as in `scores.json`, such as "tuned - base_retrieved".
        estimate: with its 95 % interval.
        verdict: "unclear" unless the interval excludes 0.
    """

    name: str
    estimate: Estimate
    verdict: Verdict

    @property
    def label(self) -> str:
        """Which less which, for people."""
        return DIFFERENCES[self.name]

    @property
    def text(self) -> str:
        """As "+0.22 (+0.10 to +0.33)"."""
        noise = ", within the noise" if self.verdict == "unclear" else ""
        return f"{self.estimate.text} ({self.estimate.interval}){noise}"


@dataclass(frozen=True, kw_only=True)
class PassageRow:
    """One score in all columns, on the questions that were asked with passages.

    Attributes:
        name: as in `scores.json`.
        values: by column; None where it was not measured.
        differences: of columns.
    """

    name: str
    doc: ScoreDoc
    values: Mapping[str, Estimate | None]
    differences: tuple[Difference, ...]

    @property
    def label(self) -> str:
        """The name for people."""
        return self.name.replace("_", " ")

    @property
    def numbers(self) -> dict[str, float]:
        """The values of the columns asked with passages, and the differences, by flat names."""
        values = {name: self.values[name] for name in PASSAGE_COLUMNS}
        return {name: value.value for name, value in values.items() if value is not None} | {
            each.name.replace(" - ", "_minus_"): each.estimate.value for each in self.differences
        }


def passage_table(scores: Scores) -> list[PassageRow]:
    """A row for each score of answers from passages; none where none were asked."""
    columns: Mapping[str, Any] = scores.get("passages", {}).get("columns", {})
    measured = {name for column in PASSAGE_COLUMNS for name in columns.get(column, {})}
    order = [*SCORE_DOCS, *sorted(measured - SCORE_DOCS.keys())]
    return [_row(scores, name) for name in order if name in measured]


def _row(scores: Scores, name: str) -> PassageRow:
    columns, paired = scores["passages"]["columns"], scores["passages"]["paired"]
    values = {
        column: rate_estimate(columns[column][name]) if name in columns.get(column, {}) else None
        for column in COLUMNS
    }
    doc = doc_of(name)
    differences = tuple(
        _difference(pair, paired[pair][name], doc=doc)
        for pair in DIFFERENCES
        if name in paired.get(pair, {})
    )
    return PassageRow(name=name, doc=doc, values=values, differences=differences)


def _difference(name: str, paired: Mapping[str, Any], *, doc: ScoreDoc) -> Difference:
    difference = paired["difference"]
    verdict: Verdict = "unclear"
    if paired["clear"] and difference != 0:
        verdict = "better" if (difference < 0) == doc.lower_is_better else "worse"
    estimate = Estimate(
        value=difference, low=paired["low_95"], high=paired["high_95"], n=paired["n"],
        counts=f"n = {paired['n']}", spec="+.2f",
    )  # fmt: skip
    return Difference(name=name, estimate=estimate, verdict=verdict)


def passage_sentence(scores: Scores) -> str:
    """What fine-tuning answers and what retrieval does, in one sentence; empty without any."""
    row = next((row for row in passage_table(scores) if row.name == "fact_accuracy"), None)
    if row is None:
        return ""
    shares = {name: value.text for name, value in row.values.items() if value is not None}
    parts = [f"Fine-tuning answers {shares['tuned']} of the questions"]
    labels = {
        "base_retrieved": "the base with retrieved passages",
        "base_passage": "the base with the right passage",
        "tuned_passage": "the tuned model with the right passage",
    }
    parts += [f"{text} {shares[name]}" for name, text in labels.items() if name in shares]
    return f"{'; '.join(parts)}."


def passage_notes(scores: Scores) -> list[str]:
    """How the questions were asked with passages."""
    facts = scores.get("passages")
    if not facts:
        return []
    subject = f"{facts['asked']} of {facts['candidates']} questions about the library"
    if facts["asked"] < facts["candidates"]:
        subject += ", evenly spread,"
    notes = [
        f"{subject} were also asked with passages in the prompt: at most "
        f"{facts['retrieved_passages']} of the library's {facts['library_passages']}, found by "
        "BM25, or the right one; all columns are of these questions."
    ]
    if rate := facts["retrieval_hit_rate"]:
        notes.append(
            f"The retrieved passages hold every key of {rate_estimate(rate).full} of the facts."
        )
    if without := facts["without_right_passage"]:
        notes.append(
            f"{without} further questions were left out: no passage surely holds their answer, or "
            "it does not fit the context."
        )
    if shortened := sum(facts["shortened"].values()):
        prompts = "prompt were" if shortened == 1 else "prompts were"
        notes.append(f"Passages of {shortened} {prompts} shortened to fit the context.")
    took = facts["took_s"]
    notes.append(
        f"This took {took['base']:,.0f} s for the base and {took['tuned']:,.0f} s for tuned."
    )
    return notes


def retrieval_wins(answers: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The facts that the base answers from retrieved passages, and the tuned model does not."""
    return [
        row
        for row in _asked_both(answers)
        if row["base_retrieved"]["right"] and not row["tuned"]["right"]
    ]


def _asked_both(answers: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [row for row in answers if row["kind"] == "fact" and "base_retrieved" in row]


def wins_sentence(answers: Sequence[Mapping[str, Any]]) -> str:
    """How often retrieval alone is right, and how often fine-tuning alone; empty without any."""
    rows = _asked_both(answers)
    if not rows:
        return ""
    retrieval = len(retrieval_wins(rows))
    tuned = sum(row["tuned"]["right"] and not row["base_retrieved"]["right"] for row in rows)
    return (
        f"Of {len(rows)} facts, retrieval alone is right on {retrieval} and fine-tuning alone "
        f"on {tuned}."
    )


def passage_markdown(scores: Scores) -> list[str]:
    """The sentence, the table and the notes in Markdown; no lines where nothing was measured."""
    rows = passage_table(scores)
    if not rows:
        return []
    heads = ("with passages", *COLUMNS.values(), "differences")
    table = [
        " | ".join(
            (
                row.name,
                *(value.brief if value else "-" for value in row.values.values()),
                "; ".join(f"{each.label}: {each.text}" for each in row.differences),
            )
        )
        for row in rows
    ]
    rule = " | ".join(["---", *["---:"] * len(COLUMNS), "---"])
    return [
        *([passage_sentence(scores), ""] if passage_sentence(scores) else []),
        *(f"| {line} |" for line in (" | ".join(heads), rule, *table)),
        "",
        " ".join(passage_notes(scores)),
    ]
