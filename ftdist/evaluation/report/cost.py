"""What a run cost, as far as its records tell."""

from typing import Any

from ftdist.io.jsonl import read_json_lines
from ftdist.observe.metrics import ATTEMPT, LOSS_TOKENS, STEP, TIME, TOKENS, read_metrics
from ftdist.plan.plan import Plan
from ftdist.rundir import RunDir

TOKENS_A_PARAMETER = 20
"""Of a model trained from scratch with its compute well spent.

Source: J. Hoffmann et al., "Training Compute-Optimal Large Language Models" (2022),
arXiv 2203.15556: about 20 tokens a parameter over the range that they measured.
"""


def cost_of(run: RunDir) -> dict[str, Any] | None:
    """Steps, tokens and rank-hours of a run, and what the model would cost from scratch.

    Rank-hours are ranks times wall time, summed over attempts: loading, measurements, checkpoints
    and steps that a later attempt computed again are in them; a curation, an export and a
    comparison are not.

    Returns:
        None where the run has no plan or no measured step.
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
    from_scratch = TOKENS_A_PARAMETER * plan.parameters
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
        # At the speed of the whole run: the hours behind the exported step are in it too.
        "scratch_rank_hours": rank_hours * from_scratch / max(1, all_tokens),
    }


def _spans(run: RunDir) -> list[tuple[int, float]]:
    """For each attempt its ranks and the seconds from its start to its last sign of life.

    That it has ended may be put on record much later, where its node was lost.
    """
    events, rows = list(run.read_events()), list(read_json_lines(run.metrics))
    spans = []
    for start in events:
        if start.get("event") != "attempt_started":
            continue
        number, began = start["attempt"], float(start["time"])
        own = [sign for sign in (*events, *rows) if sign.get(ATTEMPT.name) == number]
        own = [sign for sign in own if sign.get("event") != "attempt_finished"]
        for path in run.attempt(number).glob("system-*.jsonl"):
            own += read_json_lines(path)
        last = max(float(sign.get(TIME.name, began)) for sign in own)
        spans.append((int(start["world_size"]), last - began))
    return spans
