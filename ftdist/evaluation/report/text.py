"""The scores of a comparison in words: rows of a table, and sentences. Loads no torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ftdist.evaluation.metric_docs import MEANINGS, MIN_PASSAGES, meaning_of
from ftdist.text.terminal import plain

Scores = dict[str, Any]
"""What stands in `scores.json`."""

NOISE = "within the noise"

NOT_IN_COST = "the curation with the base's answers, the export and the comparison"
"""What `cost_of` leaves out."""

MAX_MARKS, MAX_MARK = 3, 60
"""Of what is shown of the library's words in an answer; answers.jsonl has all."""


@dataclass(frozen=True, kw_only=True)
class ScoreRow:
    """One score of both models.

    Attributes:
        name: as in `scores.json`.
        base: with its count and interval; "-" where the base has none.
        tuned: the same.
        change: the difference with its interval, called better or worse only where it is clear.
        meaning: what the score is.
    """

    name: str
    base: str
    tuned: str
    change: str
    meaning: str

    @property
    def cells(self) -> tuple[str, str, str, str, str]:
        """All of it, as a row of a table."""
        return self.name, self.base, self.tuned, self.change, self.meaning

    @property
    def verdict(self) -> str:
        """What the change is called; empty where the base has no such score."""
        return self.change.partition(", ")[0]


def score_rows(scores: Scores) -> list[ScoreRow]:
    """A row for each score that there is."""
    known = [*MEANINGS, *(name for name in scores["tuned"] if name not in MEANINGS)]
    return [row for name in known if (row := _row(scores, name)) is not None]


def documents_rows(scores: Scores, *, most: int) -> list[tuple[str, str, str]]:
    """Where the library is known worst: the place, recall of base and tuned, the weakest first."""
    return [
        (
            plain(" > ".join(part for part in (row["document"], row["section"]) if part)),
            rate_text(row["base"]),
            rate_text(row["tuned"]),
        )
        for row in scores.get("documents", [])[:most]
    ]


def cost_text(scores: Scores) -> str:
    """What the run cost, in a sentence; empty where its records do not tell."""
    cost = scores.get("cost")
    if not cost:
        return ""
    return (
        f"{cost['steps']} steps, {cost['tokens']:,} tokens, {cost['rank_hours']:.2g} rank-hours on "
        f"{cost['device']} ({NOT_IN_COST} not counted); a model of this size from scratch: "
        f"{cost['from_scratch_tokens']:.2g} tokens (20 a parameter), "
        f"{1 / cost['share_of_scratch']:,.0f} times as many, or {scratch_hours(cost)} rank-hours "
        "at this run's speed."
    )


def scratch_hours(cost: Mapping[str, Any]) -> str:
    """Rank-hours that a model from scratch takes with as many tokens in each as the run had."""
    hours = cost.get("scratch_rank_hours", cost["rank_hours"] / cost["share_of_scratch"])
    return f"{hours:,.0f}" if hours >= 10 else f"{hours:.2g}"


def asked_text(scores: Scores) -> str:
    """How both models were asked; empty for an older comparison, which does not say."""
    asked = scores.get("eval_config")
    if not asked:
        return ""
    general = asked.get("general_questions") or "those that ftdist brings"
    texts = asked.get("perplexity_texts") or "those that ftdist brings"
    most = 0 if general == "none" else asked.get("num_general_generations", 0)
    written = f", {most} of them at most answered in writing too" if most else ""
    told = [
        f"Greedy answers of at most {asked['max_new_tokens']} tokens",
        f"probes: {scores['probes']}",
        f"general questions: {general}{written}",
        f"general texts: {texts}",
        f"tasks of lm-eval: {', '.join(asked.get('lm_eval_tasks', [])) or 'none'}",
    ]
    return plain("; ".join(told)) + "."


def cut_text(scores: Scores) -> str:
    """How many answers did not end by themselves; empty for an older comparison."""
    cut = scores.get("truncated")
    if not cut:
        return ""
    return (
        f"{cut['base']} of {cut['n']} answers of the base and {cut['tuned']} of {cut['n']} "
        f"of the tuned model were cut off at {cut['tokens']} tokens."
    )


def seen_text(scores: Scores) -> list[str]:
    """A sentence for each kind of question of which some were trained on."""
    names = {"probes": "probes", "general": "general questions", "texts": "general texts"}
    return [
        f"{row['contaminated']} of {row['n']} {names[kind]} occur in the training data (by "
        f"8-word overlap), for example: {' '.join(plain(row['first']).split())[:120]}"
        for kind, row in scores.get("contamination", {}).items()
        if row["contaminated"]
    ]


def marks_text(said: Mapping[str, Any]) -> str:
    """Which words of the library an answer holds, a few of them; empty where it holds none.

    Args:
        said: one model's part of a row of `answers.jsonl`.
    """
    leaked = said.get("leaked") or ()
    shown = [" ".join(plain(mark).split())[:MAX_MARK] for mark in leaked[:MAX_MARKS]]
    more = f" and {len(leaked) - MAX_MARKS} more" if len(leaked) > MAX_MARKS else ""
    return f"of the library: {', '.join(shown)}{more}" if shown else ""


def rate_text(rate: dict[str, Any]) -> str:
    """A rate as "0.94 (45/48, 0.83 to 0.98)"."""
    counts = f"{rate['hits']}/{rate['n']}"
    return f"{rate['value']:.2f} ({counts}, {rate['low_95']:.2f} to {rate['high_95']:.2f})"


def change_text(name: str, found: dict[str, Any] | None, *, digits: int = 2) -> str:
    """A difference as "better, +0.92 (0.80 to 0.97)"; empty for none."""
    if found is None:
        return ""
    is_good = (found["difference"] < 0) == meaning_of(name).lower_is_better
    word = ("better" if is_good else "worse") if found["clear"] else unclear_text(found)
    low, high = found["low_95"], found["high_95"]
    return f"{word}, {found['difference']:+.{digits}f} ({low:+.{digits}f} to {high:+.{digits}f})"


def unclear_text(found: Mapping[str, Any]) -> str:
    """What a difference is called that is neither better nor worse: noise, or of too few texts."""
    passages = found.get("passages", MIN_PASSAGES)
    if passages < MIN_PASSAGES:
        return f"too few texts to tell ({passages}; {MIN_PASSAGES} are needed)"
    return NOISE


def _row(scores: Scores, name: str) -> ScoreRow | None:
    meaning = meaning_of(name).told
    if name == "general_nll":
        return _loss_row(scores["general_nll"], meaning) if name in scores else None
    if name == "confusable_accuracy":
        if name not in scores:
            return None
        part = scores[name]
        base, tuned, change = part["base"], part["tuned"], part["paired"]
    elif name in scores["tuned"]:
        base, tuned = (_rate(scores, model, name) for model in ("base", "tuned"))
        change = scores.get("paired", {}).get(name)
    else:
        return None
    return ScoreRow(
        name=plain(name),
        base="-" if base is None else rate_text(base),
        tuned=rate_text(tuned),
        change=change_text(name, change),
        meaning=meaning,
    )


def _rate(scores: Scores, model: str, name: str) -> dict[str, Any] | None:
    if name not in scores[model]:
        return None
    return {**scores["intervals"][model][name], "value": scores[model][name]}


def _loss_row(loss: dict[str, Any], meaning: str) -> ScoreRow:
    shown = {}
    for model in ("base", "tuned"):
        low, high = loss["intervals"][model]
        shown[model] = f"{loss[model]:.3f} ({loss['passages']} texts, {low:.3f} to {high:.3f})"
    return ScoreRow(
        name="general_nll",
        base=shown["base"],
        tuned=shown["tuned"],
        change=change_text("general_nll", loss, digits=3),
        meaning=meaning,
    )
