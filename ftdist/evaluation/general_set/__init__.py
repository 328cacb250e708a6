"""General knowledge and general language that ftdist brings: what a tuned model should still know.

`items.jsonl` holds multiple-choice questions, `passages.jsonl` short texts. Nothing that ftdist
trains on stands in them. README.md says what they are, and how a small base model does on them.
"""

import json
from functools import cache
from importlib.resources import files
from typing import Any

from ftdist.evaluation.probes import Probe


@cache
def general_items() -> tuple[Probe, ...]:
    """The multiple-choice questions; the topics are evenly mixed, so the first n are of all."""
    return tuple(
        Probe(
            question=row["question"],
            answer=row["answer"],
            keys=(row["answer"],),
            kind="general",
            choices=tuple(row["choices"]),
            right_choice=row["choices"].index(row["answer"]),
        )
        for row in _rows("items.jsonl")
    )


@cache
def general_passages() -> tuple[str, ...]:
    """Passages of 50 to 90 words, on which a model's loss tells how well it knows the language."""
    return tuple(row["text"] for row in _rows("passages.jsonl"))


def _rows(name: str) -> list[dict[str, Any]]:
    text = files(__name__).joinpath(name).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]
