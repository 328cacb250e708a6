"""`scores.json`: everything that is counted over two models' verdicts on the same questions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ftdist.errors import DataError
from ftdist.evaluation.eval_set import Inputs
from ftdist.evaluation.probes import Probe
from ftdist.evaluation.scoring.confidence import Losses, Paired, Rate, paired_losses
from ftdist.evaluation.scoring.distractors import confusable_groups
from ftdist.evaluation.scoring.judge import Verdict, added_rates, outcomes


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What one model's answers are worth.

    Attributes:
        probes: a verdict for each probe.
        general: for each general question, whether the right choice was the likeliest.
        losses: for each passage of general text the summed loss in nats, and its tokens.
        tasks: by "TASK/METRIC" or "TASK/METRIC,FILTER" of lm-eval, whether each document was right.
    """

    probes: Sequence[Verdict]
    general: Sequence[bool]
    losses: Losses
    tasks: Mapping[str, Sequence[bool]] = field(default_factory=dict)


def tally(inputs: Inputs, *, base: Judged, tuned: Judged) -> dict[str, Any]:
    """The scores of both models and their differences, each with its count and interval.

    Sections for which nothing was asked are left out.

    Raises:
        DataError: the models were asked different numbers of documents of a task.
    """
    probes = inputs.probes
    tasks = _shared_tasks(base, tuned)
    so = {
        name: _outcomes(inputs, judged, tasks=tasks)
        for name, judged in (("base", base), ("tuned", tuned))
    }
    asked = [name for name, hits in so["base"].items() if hits]
    rates = {
        model: {name: Rate(sum(so[model][name]), len(so[model][name])) for name in asked}
        for model in so
    }
    rates["tuned"] |= added_rates(probes, base.probes, tuned.probes)
    scores: dict[str, Any] = {
        model: {name: rate.value for name, rate in found.items()} for model, found in rates.items()
    }
    scores["intervals"] = {
        model: {name: _interval(rate) for name, rate in found.items()}
        for model, found in rates.items()
    }
    scores["paired"] = {
        name: Paired.of(so["base"][name], so["tuned"][name]).fields() for name in asked
    }
    scores["flips"] = _flips(so)
    general_nll = paired_losses(base.losses, tuned.losses)
    if general_nll is not None:
        scores["general_nll"] = general_nll
    groups = confusable_groups(probes)
    if groups:
        places = [place for group in groups for place in group]
        scores["confusable_accuracy"] = {
            "groups": len(groups),
            **_recall_of(places, base=base, tuned=tuned),
        }
    documents = _documents(probes, base=base, tuned=tuned)
    if documents:
        scores["documents"] = documents
    return scores


def _shared_tasks(base: Judged, tuned: Judged) -> list[str]:
    """Scores of tasks that both models have.

    A metric of shares, such as F1, can be 0 or 1 of every document by chance, for one of them.
    """
    names = [name for name in base.tasks if name in tuned.tasks]
    for name in names:
        asked, now = len(base.tasks[name]), len(tuned.tasks[name])
        if asked != now:
            raise DataError(
                f"{name} cannot be compared: the base was asked {asked} documents, the tuned "
                f"model {now}.",
                remedy="`touch` the task's file, so that the base is asked anew, then compare "
                "again.",
            )
    return names


def _outcomes(inputs: Inputs, judged: Judged, *, tasks: Sequence[str]) -> dict[str, list[bool]]:
    of_tasks = {name: list(judged.tasks[name]) for name in tasks}
    return (
        outcomes(inputs.probes, judged.probes)
        | {"general_mc_accuracy": list(judged.general)}
        | of_tasks
    )


def _interval(rate: Rate) -> dict[str, float | int]:
    return {name: value for name, value in rate.fields().items() if name != "value"}


def _flips(so: dict[str, dict[str, list[bool]]]) -> dict[str, int]:
    """Probes of recall and retention by who is right: the change, not only the two sums."""
    flips: dict[str, int] = {}
    for kind in ("fact", "general"):
        name = f"{kind}_accuracy"
        paired = Paired.of(so["base"][name], so["tuned"][name])
        flips[f"{kind}_improved"] = paired.tuned_only
        flips[f"{kind}_regressed"] = paired.base_only
    return flips


def _recall_of(places: Sequence[int], *, base: Judged, tuned: Judged) -> dict[str, Any]:
    """Recall of some of the probes."""
    right = {
        model: [judged.probes[place].right for place in places]
        for model, judged in (("base", base), ("tuned", tuned))
    }
    return {
        **{model: Rate(sum(hits), len(hits)).fields() for model, hits in right.items()},
        "paired": Paired.of(right["base"], right["tuned"]).fields(),
    }


def _documents(probes: Sequence[Probe], *, base: Judged, tuned: Judged) -> list[dict[str, Any]]:
    """Recall by document and section, the weakest first; of equally weak ones, the most asked."""
    places: dict[tuple[str, str], list[int]] = {}
    for place, probe in enumerate(probes):
        if probe.kind == "fact" and (probe.document or probe.section):
            places.setdefault((probe.document, probe.section), []).append(place)
    rows = [
        {
            "document": document,
            "section": section,
            "n": len(found),
            **_recall_of(found, base=base, tuned=tuned),
        }
        for (document, section), found in places.items()
    ]
    return sorted(rows, key=lambda row: (row["tuned"]["value"], -row["n"]))
