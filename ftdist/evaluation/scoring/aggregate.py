"""Aggregate the verdicts on two models into the scores of `scores.json`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from statistics import fmean
from typing import Any

from ftdist.errors import DataError
from ftdist.evaluation.eval_set import EvalSet
from ftdist.evaluation.probes import Probe
from ftdist.evaluation.scoring.clustered import ClusteredRate, paired_clustered
from ftdist.evaluation.scoring.confidence import Losses, Paired, Rate, paired_losses
from ftdist.evaluation.scoring.distractors import confusable_groups
from ftdist.evaluation.scoring.judge import AnswerVerdict, added_rates, key_counts, outcomes
from ftdist.text.matching import strip_citation


@dataclass(frozen=True, kw_only=True)
class JudgedAnswers:
    """The verdicts on all answers of one model.

    Attributes:
        probes: a verdict for each probe.
        general: for each general question, whether the right choice was the most likely.
        losses: for each passage of general text, the summed loss in nats and the number of tokens.
        tasks: whether each document was right, by lm-eval's "TASK/METRIC" or "TASK/METRIC,FILTER".
    """

    probes: Sequence[AnswerVerdict]
    general: Sequence[bool]
    losses: Losses
    tasks: Mapping[str, Sequence[bool]] = field(default_factory=dict)


def aggregate_scores(
    eval_set: EvalSet, *, base: JudgedAnswers, tuned: JudgedAnswers
) -> dict[str, Any]:
    """Compute both models' scores and their differences, with counts and intervals.

    Sections without questions are left out.

    Raises:
        DataError: the models answered different numbers of documents of a task.
    """
    tasks = _shared_tasks(base, tuned)
    outcomes_by_model = {
        name: _outcomes(eval_set, judged, tasks=tasks)
        for name, judged in (("base", base), ("tuned", tuned))
    }
    names = [name for name, hits in outcomes_by_model["base"].items() if hits]
    rates = {
        model: {
            name: Rate(sum(outcomes_by_model[model][name]), len(outcomes_by_model[model][name]))
            for name in names
        }
        for model in outcomes_by_model
    }
    rates["tuned"] |= added_rates(eval_set.probes, base.probes, tuned.probes)
    scores: dict[str, Any] = {
        model: {name: rate.value for name, rate in model_rates.items()}
        for model, model_rates in rates.items()
    }
    scores["intervals"] = {
        model: {name: _interval(rate) for name, rate in model_rates.items()}
        for model, model_rates in rates.items()
    }
    scores["paired"] = {name: _paired(outcomes_by_model, name).fields() for name in names}
    scores["flips"] = _flips(outcomes_by_model)
    _add_fact_recall(scores, eval_set.probes, {"base": base, "tuned": tuned})
    general_nll = paired_losses(base.losses, tuned.losses)
    if general_nll is not None:
        scores["general_nll"] = general_nll
    groups = confusable_groups(eval_set.probes)
    if groups:
        scores["confusable_accuracy"] = {
            "groups": len(groups),
            **_fact_accuracy(list(chain(*groups)), base=base, tuned=tuned),
        }
    documents = _documents(eval_set.probes, base=base, tuned=tuned)
    if documents:
        scores["documents"] = documents
    return scores


def _add_fact_recall(
    scores: dict[str, Any], probes: Sequence[Probe], judged: Mapping[str, JudgedAnswers]
) -> None:
    """Add the share of key facts found, and the mean length of answers to fact probes in words."""
    rates = {
        model: ClusteredRate(*key_counts(probes, answers.probes))
        for model, answers in judged.items()
    }
    if not rates["base"].sizes:
        return
    for model, rate in rates.items():
        fields = rate.fields()
        scores[model]["fact_recall"] = fields.pop("value")
        scores["intervals"][model]["fact_recall"] = fields
    scores["paired"]["fact_recall"] = paired_clustered(rates["base"], rates["tuned"])
    plain = [index for index, probe in enumerate(probes) if probe.is_plain_fact]
    known = [len(strip_citation(probes[index].answer).split()) for index in plain]
    scores["answer_words"] = {"known": fmean(known)} | {
        model: fmean(answers.probes[index].num_words for index in plain)
        for model, answers in judged.items()
    }


def _shared_tasks(base: JudgedAnswers, tuned: JudgedAnswers) -> list[str]:
    """Names of the task scores that both models have.

    A fractional metric such as F1 may be 0 or 1 for every document of one model by chance.
    """
    names = [name for name in base.tasks if name in tuned.tasks]
    for name in names:
        num_base, num_tuned = len(base.tasks[name]), len(tuned.tasks[name])
        if num_base != num_tuned:
            raise DataError(
                f"{name} cannot be compared: the base answered {num_base} documents, the "
                f"tuned model {num_tuned}.",
                remedy="`touch` the task file to evaluate the base again, then rerun the "
                "comparison.",
            )
    return names


def _outcomes(
    eval_set: EvalSet, judged: JudgedAnswers, *, tasks: Sequence[str]
) -> dict[str, list[bool]]:
    task_outcomes = {name: list(judged.tasks[name]) for name in tasks}
    return (
        outcomes(eval_set.probes, judged.probes)
        | {"general_mc_accuracy": list(judged.general)}
        | task_outcomes
    )


def _interval(rate: Rate) -> dict[str, float | int]:
    return {name: value for name, value in rate.fields().items() if name != "value"}


def _paired(outcomes_by_model: dict[str, dict[str, list[bool]]], name: str) -> Paired:
    return Paired.from_outcomes(outcomes_by_model["base"][name], outcomes_by_model["tuned"][name])


def _flips(outcomes_by_model: dict[str, dict[str, list[bool]]]) -> dict[str, int]:
    """Count the fact and general probes that improved and those that regressed."""
    flips: dict[str, int] = {}
    for kind in ("fact", "general"):
        name = f"{kind}_accuracy"
        paired = _paired(outcomes_by_model, name)
        flips[f"{kind}_improved"] = paired.tuned_only
        flips[f"{kind}_regressed"] = paired.base_only
    return flips


def _fact_accuracy(
    indices: Sequence[int], *, base: JudgedAnswers, tuned: JudgedAnswers
) -> dict[str, Any]:
    """Fact accuracy of both models on the probes at `indices`."""
    right = {
        model: [judged.probes[index].right for index in indices]
        for model, judged in (("base", base), ("tuned", tuned))
    }
    return {
        **{model: Rate(sum(hits), len(hits)).fields() for model, hits in right.items()},
        "paired": Paired.from_outcomes(right["base"], right["tuned"]).fields(),
    }


def _documents(
    probes: Sequence[Probe], *, base: JudgedAnswers, tuned: JudgedAnswers
) -> list[dict[str, Any]]:
    """Fact accuracy by document and section, weakest first; ties by number of probes."""
    indices: dict[tuple[str, str], list[int]] = {}
    for index, probe in enumerate(probes):
        if probe.is_plain_fact and (probe.document or probe.section):
            indices.setdefault((probe.document, probe.section), []).append(index)
    rows = [
        {
            "document": document,
            "section": section,
            "n": len(members),
            **_fact_accuracy(members, base=base, tuned=tuned),
        }
        for (document, section), members in indices.items()
    ]
    return sorted(rows, key=lambda row: (row["tuned"]["value"], -row["n"]))
