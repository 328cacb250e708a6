"""Evaluate interpolations between the base and the tuned model, and save the best one.

    runs/R/merge/measured.jsonl       scores of every setting, appended as each is evaluated, with
                                      fingerprints of the models and the evaluation set
    runs/R/merge/model/               the chosen merged model, a Hugging Face model folder
    runs/R/merge/model/points.json    scores of all candidates, and the choice

`selection.choose` makes the choice, never alpha 0, which is the base. The gain is fact accuracy
(with the right page, where pages are known) less the rate of leaks and refusals where the base
answers. If no candidate retains enough general knowledge, the one with the lowest general loss is
chosen. `retention_ok` in `points.json` tells these cases apart; it is null if neither general loss
nor general questions were evaluated. Choice and model are replaced together, atomically.

With `merge.onto` the update is added to that model, which takes the place of the base: scores are
compared with its own.
"""

import json
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ftdist.checkpoint.changed_models import refuse_changed_base, refuse_changed_export
from ftdist.checkpoint.merge_setting import MergeSetting
from ftdist.checkpoint.model_card import with_scores
from ftdist.checkpoint.weight_interpolation import write_merged_model
from ftdist.config.saved_config import load_config
from ftdist.config.schema import RunConfig
from ftdist.dist.device import inference_device
from ftdist.evaluation.base_answers import MADE_BY, base_answers
from ftdist.evaluation.compare import judge_all, requested_config
from ftdist.evaluation.eval_requests import EvalRequests
from ftdist.evaluation.eval_set import EvalSet, read_eval_set
from ftdist.evaluation.lm_eval_tasks import tasks_key
from ftdist.evaluation.merge_settings import describe_model, merge_settings
from ftdist.evaluation.report.html import write_page
from ftdist.evaluation.report.merge_sweep import POINTS_NAME, MergeSweep, read_merge_sweep
from ftdist.evaluation.runner import ask, evaluation_device, log, with_dtype
from ftdist.evaluation.scoring.aggregate import JudgedAnswers, aggregate_scores
from ftdist.evaluation.selection import (
    Scores,
    choose,
    has_loss,
    has_questions,
    lowest_loss,
)
from ftdist.inference.model_fingerprint import model_fingerprint
from ftdist.inference.model_folder import resolve_model_folder
from ftdist.io.atomic_dir import atomic_dir, remove_stale_dirs
from ftdist.io.filesystem import set_modes, storage_errors
from ftdist.io.hashing import fingerprint
from ftdist.io.jsonl import append_json_line, read_json_lines, write_whole
from ftdist.observe.score_table import score_table
from ftdist.plan.dataset_info import has_fixed_opening
from ftdist.plan.model_info import model_name, read_model_info
from ftdist.plan.param_names import merge_factors
from ftdist.rundir import RunDir

FORMAT = 2
"""Increase it whenever stored scores become incomparable with new ones."""


@dataclass(frozen=True, kw_only=True)
class _Models:
    """What is merged.

    Attributes:
        config: of the run, with the requested keys.
        base: folder of the model that training began with.
        factors: of alpha, by tensor.
        onto: folder of the model to which the update is added; None: the base.
    """

    run: RunDir
    config: RunConfig
    base: Path
    factors: Mapping[str, float]
    onto: Path | None

    def write(self, out: Path, setting: MergeSetting) -> None:
        """Write one merged model."""
        write_merged_model(
            self.base, self.run.export, out, setting=setting, factors=self.factors, onto=self.onto
        )

    def recorded(self) -> dict[str, Any]:
        """Of `points.json`: what all candidates share."""
        name = None if self.onto is None else model_name(str(self.onto))
        return {"layers": list(self.config.merge.layers), "onto": name}


def merge_models(run_dir: Path) -> None:
    """Evaluate the merged models of a run and save the best one.

    Scores of the same models on the same evaluation set are reused.

    Args:
        run_dir: directory of an exported run. The keys in `merge/merge.json`, if it
            exists, override the run's config.

    Raises:
        ConfigError: an alpha is invalid, all are 0, a pattern matches nothing, or a model has
            changed.
        DataError: a probe is invalid.
        ModelError: the models do not match, or one cannot be loaded.
        StorageError: the disk is full.
    """
    run, started = RunDir(run_dir), time.monotonic()
    config = requested_config(run, load_config(run.config), stage="merge")
    refuse_changed_base(run, config)
    refuse_changed_export(run)
    settings = merge_settings(config.merge)
    eval_set = read_eval_set(config.eval, library=Path(config.library.path))
    onto = config.merge.onto
    models = _Models(
        run=run,
        config=config,
        base=resolve_model_folder(config.model.path, config.model.revision),
        factors=merge_factors(config.merge.layers, read_model_info(run.export)),
        onto=None if onto is None else resolve_model_folder(onto, None, key="merge.onto"),
    )
    run.merge.mkdir(exist_ok=True)
    remove_stale_dirs(run.merge, name=run.merged_model.name)
    of = _fingerprints(models, eval_set)
    points = _scores_of_all(models, eval_set, of=of, settings=settings)
    choice = {
        **of,
        **with_choice(points, max_loss_increase=config.merge.max_loss_increase),
        **models.recorded(),
    }
    before = read_merge_sweep(run)
    with storage_errors("write", run.merged_model):
        _write_chosen(models, choice)
    if (run.report / "scores.json").is_file():
        write_page(run)
    text = _choice_text(choice, str(settings[choice["chosen"]]), before=before)
    log(f"merge: {text}, in {run.merged_model}, {time.monotonic() - started:.0f} s")


def _scores_of_all(
    models: _Models,
    eval_set: EvalSet,
    *,
    of: dict[str, str],
    settings: Sequence[MergeSetting],
) -> list[Scores]:
    """The scores of every setting; stored ones are reused."""
    run = models.run
    measured = _stored_scores(run, of)
    if known := [str(setting) for setting in settings if setting in measured]:
        log(f"merge: {', '.join(known)}: reusing the scores in {run.merge_candidates}")
    if missing := [setting for setting in settings if setting not in measured]:
        measured |= _measure(models, eval_set, of=of, settings=missing)
    return [measured[setting] for setting in settings]


def _choice_text(choice: Mapping[str, Any], chosen: str, *, before: MergeSweep | None) -> str:
    """What was chosen, in place of what."""
    reason = "no merged model retains enough: " if choice["retention_ok"] is False else ""
    replaced = f" in place of {before.chosen}" if before and before.chosen != chosen else ""
    return f"{reason}chose {chosen}{replaced}"


def _stored_scores(run: RunDir, of: Mapping[str, str]) -> dict[MergeSetting, Scores]:
    """The scores in the run's file that have these fingerprints."""
    return {
        MergeSetting.from_scores(row["point"]): row["point"]
        for row in read_json_lines(run.merge_candidates)
        if of.items() <= row.items()
    }


def _fingerprints(models: _Models, eval_set: EvalSet) -> dict[str, str]:
    """Fingerprints of what scores depend on except the setting: the models and the requests."""
    config = models.config
    request = {
        "format": FORMAT,
        "made_by": MADE_BY,
        "base": model_fingerprint(models.base),
        "onto": None if models.onto is None else model_fingerprint(models.onto),
        "factors": models.factors,
        "probes": [asdict(probe) for probe in eval_set.probes],
        "general": [asdict(item) for item in eval_set.general],
        "texts": eval_set.texts,
        "tasks": tasks_key(eval_set.tasks),
        "max_answer_tokens": config.eval.max_new_tokens,
        "system_prompt": config.library.system_prompt,
        "fixed_opening": has_fixed_opening(models.run.plan),
        "device": inference_device(config.cluster.device),
        "dtype": config.eval.dtype,
    }
    with storage_errors("read", models.run.export):
        return {
            "export": model_fingerprint(models.run.export),
            "asked": fingerprint(request),
        }


def _measure(
    models: _Models, eval_set: EvalSet, *, of: dict[str, str], settings: Sequence[MergeSetting]
) -> dict[MergeSetting, Scores]:
    """Evaluate each merged model against the base, and append its scores as soon as they exist."""
    run, config = models.run, models.config
    device = evaluation_device(config)
    eval_config = with_dtype(config.eval, tuned=run.export, device=device)
    start = config
    if models.onto is not None:
        start = replace(config, model=replace(config.model, path=str(models.onto), revision=None))
    requests = EvalRequests.from_inputs(eval_set)
    answers_of_base = base_answers(start, requests, eval_config, run=run, device=device)
    base = judge_all(eval_set, answers_of_base)
    candidate_dir = run.merge / "model.partial"
    measured = {}
    try:
        for number, setting in enumerate(settings, 1):
            log(f"merge: model {number} of {len(settings)}: {setting}")
            models.write(candidate_dir, setting)
            answers = ask(
                str(candidate_dir), requests, eval_config, name=f"merged {setting}", device=device,
                system_prompt=config.library.system_prompt,
                fixed_opening=has_fixed_opening(run.plan),
            )  # fmt: skip
            judged = judge_all(eval_set, answers)
            scores = aggregate_scores(eval_set, base=base, tuned=judged)
            point = {**asdict(setting), "gain_score": gain_score(eval_set, judged), **scores}
            measured[setting] = point
            with storage_errors("write", run.merge_candidates):
                append_json_line(run.merge_candidates, {**of, "point": point})
            log(f"merge: {setting}: {_summary(scores)}")
    finally:
        shutil.rmtree(candidate_dir, ignore_errors=True)
    return measured


def with_choice(points: Sequence[Scores], *, max_loss_increase: float) -> dict[str, Any]:
    """All candidates, the chosen one, and whether it retains enough; None: not evaluated.

    The base itself, at alpha 0, is evaluated for the curve and never chosen.
    """
    indices = [index for index, point in enumerate(points) if point["alpha"] > 0]
    merged = [points[index] for index in indices]
    chosen = choose(merged, max_loss_increase=max_loss_increase, order="alpha")
    is_evaluated = any(has_loss(point) or has_questions(point) for point in points)
    return {
        "candidates": points,
        "chosen": indices[lowest_loss(merged) if chosen is None else chosen],
        "retention_ok": chosen is not None if is_evaluated else None,
        "max_loss_increase": max_loss_increase,
    }


def gain_score(eval_set: EvalSet, judged: JudgedAnswers) -> float:
    """Share of right plain fact probes, with the right page where the known answer cites one."""
    right = [
        verdict.right if verdict.page is None else verdict.page
        for probe, verdict in zip(eval_set.probes, judged.probes, strict=True)
        if probe.is_plain_fact
    ]
    return sum(right) / len(right) if right else 0.0


def _summary(scores: Scores) -> str:
    names = (
        "fact_accuracy",
        "citation_accuracy",
        "general_mc_accuracy",
        "leak_rate",
        "out_of_scope_failure_rate",
    )
    choice = [f"{name} {scores['tuned'][name]:.2f}" for name in names if name in scores["tuned"]]
    if "general_nll" in scores:
        choice.append(f"general loss {scores['general_nll']['difference']:+.3f} nats")
    return ", ".join(choice)


def _write_chosen(models: _Models, choice: dict[str, Any]) -> None:
    """Atomically replace the saved merged model and its scores with the chosen one."""
    run, private = models.run, models.config.run.private
    point = choice["candidates"][choice["chosen"]]
    setting = MergeSetting.from_scores(point)
    with atomic_dir(run.merged_model, private=private, replace=True) as tmp:
        models.write(tmp, setting)
        card = tmp / "README.md"
        if card.is_file():
            shown = [row.cells for row in score_table(point)]
            text = with_scores(card.read_text(encoding="utf-8"), shown)
            made = describe_model(setting, choice)
            write_whole(card, f"{text}\n{made} {_CARD_NOTE}\n")
        write_whole(tmp / POINTS_NAME, json.dumps(choice, indent=2) + "\n")
        set_modes(tmp, private=private)


_CARD_NOTE = "The scores are those of the merged model, which was chosen on the same questions."
