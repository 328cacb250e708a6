"""Evaluate the base and the tuned model on the same questions and write the report.

    runs/R/report/answers.jsonl   one line per probe: question, all answers, all verdicts
    runs/R/report/scores.json     {"base": {"fact_accuracy": ...}, "tuned": {...}, ...}
    runs/R/report/index.html      the report page

Questions about the library are also asked with its passages in the prompt, to tell what training
gives beyond retrieval. The models run one after the other; the replicas of a model run in separate
processes.
"""

import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from ftdist.checkpoint.changed_models import refuse_changed_base, refuse_changed_export
from ftdist.checkpoint.model_card import with_scores
from ftdist.config.saved_config import load_config
from ftdist.config.schema import EvalConfig, RunConfig
from ftdist.errors import ConfigError, ModelError
from ftdist.evaluation.base_answers import base_answers
from ftdist.evaluation.contamination import seen_in_training
from ftdist.evaluation.eval_requests import Answers, EvalRequests
from ftdist.evaluation.eval_set import EvalSet, read_eval_set
from ftdist.evaluation.exposures import count_exposures, exposure_scores
from ftdist.evaluation.passage_columns import add_passage_columns
from ftdist.evaluation.passage_questions import COLUMNS, PassageQuestions, find_passages
from ftdist.evaluation.probes import Probe
from ftdist.evaluation.report.cost import cost_of
from ftdist.evaluation.report.html import write_page
from ftdist.evaluation.runner import ask, evaluation_device, log, repeat_if_silent, with_dtype
from ftdist.evaluation.scoring.aggregate import JudgedAnswers, aggregate_scores
from ftdist.evaluation.scoring.distractors import rankings
from ftdist.evaluation.scoring.judge import AnswerVerdict, LibraryMarks, judge
from ftdist.io.jsonl import write_whole
from ftdist.observe.passage_table import passage_markdown
from ftdist.observe.score_table import score_table
from ftdist.observe.wandb.comparison_table import LOG_GENERATIONS_KEY, answers_wanted
from ftdist.observe.wandb.stage_upload import upload_comparison
from ftdist.plan.dataset_info import has_fixed_opening
from ftdist.rundir import RunDir


def compare(run_dir: Path) -> None:
    """Evaluate both models, write the report, and upload it to W&B.

    Args:
        run_dir: of a run that has been exported. The keys in `report/compare.json`, if there
            is one, override the run's config.

    Raises:
        ConfigError: there are no probes, `compare.json` cannot be used, or a model's files are not
            those that the run began with, or that the export wrote.
        DataError: a probe cannot be used.
        ModelError: the run has not been exported, or a model cannot be loaded.
    """
    run, started = RunDir(run_dir), time.monotonic()
    config = requested_config(run, load_config(run.config), stage="compare")
    show_answers = answers_wanted(run, config)
    _require_export(run)
    refuse_changed_base(run, config)
    refuse_changed_export(run)
    eval_set = read_eval_set(config.eval, library=Path(config.library.path))
    device = evaluation_device(config)
    settings = with_dtype(config.eval, tuned=run.export, device=device)
    _log_size(eval_set)
    with repeat_if_silent():
        passages = find_passages(eval_set.probes, config, settings, log=log)
    requests = {
        model: EvalRequests.from_inputs(
            eval_set,
            prompts=passages.prompts(eval_set.probes, model=model) if passages else (),
        )
        for model in COLUMNS
    }
    base = base_answers(config, requests["base"], settings, run=run, device=device)
    tuned = ask(
        str(run.export), requests["tuned"], settings, name="tuned", device=device,
        system_prompt=config.library.system_prompt, fixed_opening=has_fixed_opening(run.plan),
    )  # fmt: skip
    with repeat_if_silent():
        log("compare: looking for the questions in the training data")
        seen = seen_in_training(eval_set, config)
        log("compare: counting how often training showed each fact")
        exposures = count_exposures(eval_set.probes, run, config)
    write_report(
        run, eval_set, settings, answers={"base": base, "tuned": tuned}, passages=passages,
        seen=seen, exposures=exposures,
        show_answers=show_answers,
    )  # fmt: skip
    write_page(run)
    log(f"compare: report in {run.report}, {time.monotonic() - started:.0f} s")
    upload_comparison(run, config, log=log)


def _require_export(run: RunDir) -> None:
    if not (run.export / "config.json").is_file():
        raise ModelError(
            f"The run {run.name} has not been exported: there is no model in {run.export}.",
            remedy=f"run `ftdist export {run.name}`, then compare again.",
        )


def _log_size(eval_set: EvalSet) -> None:
    kinds = Counter(probe.kind for probe in eval_set.probes)
    num_generations, num_instructions = kinds["general_open"], kinds["instruction"]
    log(
        f"compare: {kinds.total() - num_generations - num_instructions} probes from "
        f"{eval_set.source}, {len(eval_set.general)} general questions ({num_generations} also "
        f"answered in writing), {num_instructions} instructions (eval.num_instructions), "
        f"{len(eval_set.texts)} general texts"
    )


def write_report(
    run: RunDir,
    eval_set: EvalSet,
    settings: EvalConfig,
    *,
    answers: Mapping[str, Answers],
    passages: PassageQuestions | None = None,
    seen: dict[str, dict[str, Any]] | None = None,
    exposures: Sequence[float] | None = None,
    show_answers: bool = True,
) -> None:
    """Judge both models' answers and write `answers.jsonl`, `scores.json` and the card's scores.

    Args:
        run: whose report it is.
        eval_set: probes, general questions and texts.
        settings: evaluation settings.
        answers: what the base and the tuned model answered.
        passages: the questions that were also asked with passages.
        seen: contamination of the evaluation set, from `seen_in_training`.
        exposures: of the facts of the probes, from `count_exposures`.
        show_answers: whether W&B may have the answers too.
    """
    base, tuned = answers["base"], answers["tuned"]
    judged = {model: judge_all(eval_set, each) for model, each in answers.items()}
    scores = aggregate_scores(eval_set, base=judged["base"], tuned=judged["tuned"])
    scores["cost"] = cost_of(run)
    scores |= {} if seen is None else {"contamination": seen}
    if exposures:
        scores["exposures"] = exposure_scores(
            exposures, eval_set.probes, base=judged["base"].probes, tuned=judged["tuned"].probes
        )
    scores["eval_config"] = asdict(settings)
    scores[LOG_GENERATIONS_KEY] = show_answers
    scores["truncated"] = {
        "tokens": settings.max_new_tokens,
        "n": len(eval_set.probes),
        "base": sum(base.truncated),
        "tuned": sum(tuned.truncated),
    }
    scores["probes"] = str(eval_set.source)
    scores["took_s"] = {"base": round(base.took_s, 1), "tuned": round(tuned.took_s, 1)}
    rows = _rows(eval_set, answers, judged)
    if passages is not None:
        scores |= add_passage_columns(rows, eval_set, passages, answers=answers, judged=judged)
    run.report.mkdir(parents=True, exist_ok=True)
    write_whole(run.report / "answers.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    write_whole(run.report / "scores.json", json.dumps(scores, indent=2) + "\n")
    _add_to_card(run.export / "README.md", scores)


def _add_to_card(card: Path, scores: dict[str, Any]) -> None:
    """Put the scores into the model card, if there is one."""
    if card.is_file():
        shown = [row.cells for row in score_table(scores)]
        text = card.read_text(encoding="utf-8")
        write_whole(card, with_scores(text, shown, passage_markdown(scores)))


def judge_all(eval_set: EvalSet, answers: Answers) -> JudgedAnswers:
    """Judge all answers of one model."""
    marks = LibraryMarks.from_probes(eval_set.probes)
    items = zip(
        eval_set.probes, answers.texts, answers.likelihoods, rankings(eval_set.probes), strict=True
    )
    return JudgedAnswers(
        probes=[
            judge(
                probe,
                text,
                marks=marks,
                likelihoods=likelihoods,
                right_choice=ranking.right if ranking else None,
            )
            for probe, text, likelihoods, ranking in items
        ],
        general=[
            _likeliest(likelihoods) == item.right_choice
            for item, likelihoods in zip(eval_set.general, answers.general, strict=True)
        ],
        losses=answers.losses,
        tasks=answers.tasks,
    )


def _likeliest(likelihoods: Sequence[float]) -> int:
    return max(range(len(likelihoods)), key=lambda index: likelihoods[index])


def _rows(
    eval_set: EvalSet, answers: Mapping[str, Answers], judged: Mapping[str, JudgedAnswers]
) -> list[dict[str, Any]]:
    """Of `answers.jsonl`: each probe with both models' answers."""
    return [
        {
            **_question_row(probe),
            "base": _row(answers["base"], judged["base"].probes[n], index=n),
            "tuned": _row(answers["tuned"], judged["tuned"].probes[n], index=n),
        }
        for n, probe in enumerate(eval_set.probes)
    ]


def _question_row(probe: Probe) -> dict[str, Any]:
    location = {"document": probe.document, "section": probe.section}
    return {
        "question": probe.question,
        "kind": probe.kind,
        "expected": probe.answer,
        "keys": list(probe.keys),
        **{name: text for name, text in location.items() if text},
    }


def _row(answers: Answers, verdict: AnswerVerdict, *, index: int) -> dict[str, Any]:
    return {
        "answer": answers.texts[index],
        "truncated": answers.truncated[index],
        **asdict(verdict),
    }


def requested_config(run: RunDir, config: RunConfig, *, stage: str) -> RunConfig:
    """The run's config, with the keys of `eval` and `merge` that the stage's request overrides.

    Raises:
        ConfigError: the stage's request cannot be used.
    """
    request = run.request(stage)
    if not request.is_file():
        return config
    values = asdict(config)
    try:
        items = TypeAdapter(dict[str, Any]).validate_json(request.read_bytes())
        items.pop(LOG_GENERATIONS_KEY, None)  # does not affect the evaluation
        for key, value in items.items():
            section, _, name = key.partition(".")
            values[section][name] = value
        return TypeAdapter(RunConfig).validate_python(values)
    except (ValidationError, KeyError, TypeError) as error:
        reason = str(error)
        if isinstance(error, ValidationError):
            first = error.errors()[0]
            reason = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise ConfigError(
            f"{request} cannot be used: {reason}.",
            remedy="remove that file, then compare again.",
        ) from error
