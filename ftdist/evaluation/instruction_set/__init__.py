"""Instructions that ftdist brings: whether a tuned model still follows them.

`items.jsonl` holds prompts of everyday topics with rules that tell from an answer whether it
follows the instruction (`checks.py`). README.md says what they are, and how a small model does.
"""

import json
from functools import cache
from importlib.resources import files

from ftdist.evaluation.instruction_set.checks import describe
from ftdist.evaluation.probes import Probe


@cache
def instruction_items() -> tuple[Probe, ...]:
    """The instructions; their kinds are evenly mixed."""
    text = files(__name__).joinpath("items.jsonl").read_text(encoding="utf-8")
    rows = [json.loads(line) for line in text.splitlines()]
    return tuple(
        Probe(
            question=row["prompt"],
            answer=describe(row["checks"]),
            keys=(),
            kind="instruction",
            checks=tuple(row["checks"]),
        )
        for row in rows
    )
