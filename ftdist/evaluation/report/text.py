"""Sentences of a comparison: how it was made, what it cost, what to beware of. Loads no torch."""

from collections.abc import Mapping
from typing import Any

from ftdist.observe.score_table import Scores, rate_estimate
from ftdist.text.terminal import plain

NOT_IN_COST = "curation (with the base's answers), export and comparison"
"""What `cost_of` leaves out."""

MAX_MARKS, MAX_MARK = 3, 60
"""Of what is shown of the library's words in an answer; answers.jsonl has all."""


def document_rows(scores: Scores, *, limit: int) -> list[tuple[str, str, str]]:
    """Accuracy by part of the library, the weakest first: the part, base and tuned."""
    return [
        (
            plain(" > ".join(part for part in (row["document"], row["section"]) if part)),
            rate_estimate(row["base"]).full,
            rate_estimate(row["tuned"]).full,
        )
        for row in scores.get("documents", [])[:limit]
    ]


def cost_text(scores: Scores) -> str:
    """What the run cost, in a sentence; empty if its records do not say."""
    cost = scores["cost"]
    if not cost:
        return ""
    steps = f"{cost['steps']:,} step{'' if cost['steps'] == 1 else 's'}"
    return (
        f"{steps}, {cost['tokens']:,} tokens, {cost['rank_hours']:.2g} rank-hours on "
        f"{cost['device']} (without {NOT_IN_COST}). Training a model of this size from scratch: "
        f"{cost['from_scratch_tokens']:.2g} tokens (20 per parameter), "
        f"{1 / cost['share_of_scratch']:,.0f} times as many, or {scratch_hours(cost)} rank-hours "
        "at this run's speed."
    )


def scratch_hours(cost: Mapping[str, Any]) -> str:
    """Rank-hours to train a model of this size from scratch, at the run's speed."""
    hours = cost["scratch_rank_hours"]
    return f"{hours:,.0f}" if hours >= 10 else f"{hours:.2g}"


def eval_config_text(scores: Scores) -> str:
    """How both models were evaluated."""
    settings = scores["eval_config"]
    general = settings["general_questions"] or "bundled with ftdist"
    texts = settings["perplexity_texts"] or "bundled with ftdist"
    limit = 0 if general == "none" else settings["num_general_generations"]
    written = f", up to {limit} of them answered in writing too" if limit else ""
    parts = [
        f"greedy answers of at most {settings['max_new_tokens']} tokens",
        f"probes: {scores['probes']}",
        f"general questions: {general}{written}",
        f"general texts: {texts}",
        f"instructions: {_instructions(settings['num_instructions'])}",
        f"lm-eval tasks: {', '.join(settings['lm_eval_tasks']) or 'none'}",
    ]
    return plain("; ".join(parts)) + "."


def _instructions(limit: int) -> str:
    return f"at most {limit}, an even sample of those bundled" if limit else "none"


def truncation_text(scores: Scores) -> str:
    """How many answers reached the limit of tokens."""
    truncated = scores["truncated"]
    n = truncated["n"]
    return (
        f"{truncated['base']} of {n} answers of the base and {truncated['tuned']} of {n} "
        f"of the tuned model were cut off at {truncated['tokens']} tokens."
    )


def contamination_texts(scores: Scores) -> list[str]:
    """A sentence for each kind of question of which some occur in the training data."""
    names = {
        "probes": "probes",
        "general": "general questions",
        "instructions": "instructions",
        "texts": "general texts",
    }
    return [
        f"{row['contaminated']} of {row['n']} {names[kind]} occur in the training data (by "
        f"8-word overlap), for example: {' '.join(plain(row['first']).split())[:120]}"
        for kind, row in scores.get("contamination", {}).items()
        if row["contaminated"]
    ]


def leaked_text(answer: Mapping[str, Any]) -> str:
    """Which words of the library an answer contains, a few of them; empty if none.

    Args:
        answer: one model's part of a row of `answers.jsonl`.
    """
    leaked = answer["leaked"]
    shown = [" ".join(plain(mark).split())[:MAX_MARK] for mark in leaked[:MAX_MARKS]]
    more = f" and {len(leaked) - MAX_MARKS} more" if len(leaked) > MAX_MARKS else ""
    return f"from the library: {', '.join(shown)}{more}" if shown else ""
