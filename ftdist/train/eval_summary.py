"""The result of an evaluation in training, as metrics and as a line of the log."""

from ftdist.evaluation.selection import TIE_BREAK, Scores
from ftdist.observe import metrics
from ftdist.train.eval_items import ItemScores


def metrics_row(scores: ItemScores, point: Scores) -> dict[str, float]:
    """The values to log, by the names in `metrics`.

    Args:
        scores: of the trained model.
        point: the same scores beside those of the base model.
    """
    row = {
        metrics.FACT_ACCURACY_RANKED.name: sum(scores.ranked) / len(scores.ranked),
        metrics.ANSWER_LOGPROB_PER_BYTE.name: float(point[TIE_BREAK]),
    }
    if scores.recalled:
        row[metrics.FACT_RECALL_GREEDY.name] = sum(scores.recalled) / len(scores.recalled)
    if scores.general:
        row[metrics.GENERAL_MC_ACCURACY.name] = sum(scores.general) / len(scores.general)
    if "general_nll" in point:
        row[metrics.GENERAL_NLL.name] = point["general_nll"]["tuned"]
        row[metrics.GENERAL_NLL_DELTA.name] = point["general_nll"]["difference"]
    return row


def summarize(base: ItemScores, tuned: ItemScores, point: Scores) -> str:
    """Questions answered before and after, and the change of the general loss, in one line.

    Args:
        base: scores of the base model.
        tuned: scores of the trained model.
        point: both, compared.
    """
    parts = []
    for name, before, after in (
        ("key facts", base.recalled, tuned.recalled),
        ("known answers", base.ranked, tuned.ranked),
        ("general questions", base.general, tuned.general),
    ):
        if after:
            parts.append(f"{name} {sum(after)} of {len(after)} (base {sum(before)})")
    if "general_nll" in point:
        parts.append(f"general loss {point['general_nll']['difference']:+.3f} nats")
    return ", ".join(parts)
