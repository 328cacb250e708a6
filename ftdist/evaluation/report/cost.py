"""Compute the cost of a run from its records."""

from typing import Any

from ftdist.io.jsonl import read_json_lines
from ftdist.observe.metrics import ATTEMPT, LOSS_TOKENS, STEP, TIME, TOKENS, read_metrics
from ftdist.plan.plan import Plan
from ftdist.rundir import RunDir

TOKENS_PER_PARAMETER = 20
"""Compute-optimal training tokens of a model trained from scratch.

Source: J. Hoffmann et al., "Training Compute-Optimal Large Language Models" (2022),
arXiv 2203.15556: about 20 tokens per parameter over the measured range.
"""


def cost_of(run: RunDir) -> dict[str, Any] | None:
    """Steps, tokens and rank-hours of a run, and the estimated cost of training from scratch.

    Rank-hours are ranks times wall time, summed over attempts. They include loading, evaluations,
    checkpoints and repeated steps, but no curation, export or comparison.

    Returns:
        None if the run has no plan or no logged step.
    """
    try:
        plan = Plan.from_json(run.plan.read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError, KeyError):
        return None
    exported = [
        event["step"] for event in run.read_events() if event.get("event") == "model_exported"
    ]
    trained = list(read_metrics(run.metrics))
    rows = [row for row in trained if not exported or row["step"] <= exported[-1]]
    if not rows:
        return None
    spans = _spans(run)
    rank_hours = sum(ranks * seconds for ranks, seconds in spans) / 3600
    tokens, all_tokens = (sum(int(row.get(TOKENS.name, 0)) for row in of) for of in (rows, trained))
    from_scratch = TOKENS_PER_PARAMETER * plan.parameters
    return {
        "steps": rows[-1][STEP.name],
        "tokens": tokens,
        "loss_tokens": sum(int(row.get(LOSS_TOKENS.name, 0)) for row in rows),
        "attempts": len(spans),
        "ranks": sorted({ranks for ranks, _ in spans}),
        "wall_hours": sum(seconds for _, seconds in spans) / 3600,
        "rank_hours": rank_hours,
        "device": plan.device,
        "parameters": plan.parameters,
        "from_scratch_tokens": from_scratch,
        "share_of_scratch": tokens / from_scratch,
        # At the speed of the whole run, including the steps after the exported one.
        "scratch_rank_hours": rank_hours * from_scratch / max(1, all_tokens),
    }


def _spans(run: RunDir) -> list[tuple[int, float]]:
    """For each attempt, its ranks and the seconds from its start to its last record.

    `attempt_finished` is ignored: after a lost node it may be recorded much later.
    """
    events, rows = list(run.read_events()), list(read_json_lines(run.metrics))
    spans = []
    for start in events:
        if start.get("event") != "attempt_started":
            continue
        number, began = start["attempt"], float(start["time"])
        own = [record for record in (*events, *rows) if record.get(ATTEMPT.name) == number]
        own = [record for record in own if record.get("event") != "attempt_finished"]
        for path in run.attempt(number).glob("system-*.jsonl"):
            own += read_json_lines(path)
        last = max(float(record.get(TIME.name, began)) for record in own)
        spans.append((int(start["world_size"]), last - began))
    return spans
