"""Evaluate interpolations between the base and the tuned model, and save the best one.

    runs/R/merge/measured.jsonl       scores of every alpha, appended as each is evaluated, with
                                      fingerprints of the export and the evaluation set
    runs/R/merge/model/               the chosen merged model, a Hugging Face model folder
    runs/R/merge/model/points.json    scores of all candidates, and the choice

`selection.choose` makes the choice, never alpha 0, which is the base. The gain is fact accuracy
(with the right page, where pages are known) less the rate of leaks and refusals where the base
answers. If no candidate retains enough general knowledge, the one with the lowest general loss is
chosen. `retention_ok` in `points.json` tells these cases apart; it is null if neither general loss
nor general questions were evaluated. Choice and model are replaced together, atomically.
"""

import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ftdist.checkpoint.model_card import with_scores
from ftdist.checkpoint.weight_interpolation import write_merged_model
from ftdist.config.saved_config import load_config
from ftdist.config.schema import EvalConfig, RunConfig
from ftdist.dist.device import inference_device
from ftdist.evaluation.base_answers import MADE_BY, base_answers
from ftdist.evaluation.compare import judge_all, requested_config
from ftdist.evaluation.eval_set import EvalSet, read_eval_set
from ftdist.evaluation.lm_eval_tasks import tasks_key
from ftdist.evaluation.report.html import write_page
from ftdist.evaluation.report.merge_sweep import POINTS_NAME, read_merge_sweep
from ftdist.evaluation.runner import ask, evaluation_device, log
from ftdist.evaluation.scoring.aggregate import JudgedAnswers, aggregate_scores
from ftdist.evaluation.selection import (
    Scores,
    check_alphas,
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
from ftdist.rundir import RunDir

FORMAT = 1
"""Increase it whenever stored scores become incomparable with new ones."""


def merge_models(run_dir: Path) -> None:
    """Evaluate the merged models of a run and save the best one.

    Scores of the same export on the same evaluation set are reused.

    Args:
        run_dir: directory of an exported run. The keys in `merge/merge.json`, if it
            exists, override the run's config.

    Raises:
        ConfigError: an alpha is invalid, or all are 0.
        DataError: a probe is invalid.
        ModelError: base and tuned model do not match, or one cannot be loaded.
        StorageError: the disk is full.
    """
    run, started = RunDir(run_dir), time.monotonic()
    config = requested_config(run, load_config(run.config), stage="merge")
    settings = config.eval
    check_alphas(config.merge.alphas)
    eval_set = read_eval_set(settings, library=Path(config.library.path))
    base_model = resolve_model_folder(config.model.path, config.model.revision)
    run.merge.mkdir(exist_ok=True)
    remove_stale_dirs(run.merge, name=run.merged_model.name)
    of = _fingerprints(run, config, eval_set, settings, base_model=base_model)
    measured = {
        row["point"]["alpha"]: row["point"]
        for row in read_json_lines(run.merge_candidates)
        if of.items() <= row.items()
    }
    alphas = list(dict.fromkeys(config.merge.alphas))
    if known := [f"{alpha:g}" for alpha in alphas if alpha in measured]:
        log(f"merge: {', '.join(known)}: reusing the scores in {run.merge_candidates}")
    if missing := [alpha for alpha in alphas if alpha not in measured]:
        measured |= _measure(
            run, config, eval_set, settings, base_model=base_model, of=of, alphas=missing
        )
    points = [measured[alpha] for alpha in alphas]
    choice = {**of, **with_choice(points, max_loss_increase=config.merge.max_loss_increase)}
    before = read_merge_sweep(run)
    with storage_errors("write", run.merged_model):
        _write_chosen(run, config, base_model=base_model, choice=choice)
    if (run.report / "scores.json").is_file():
        write_page(run)
    reason = "no merged model retains enough: " if choice["retention_ok"] is False else ""
    chosen = f"{points[choice['chosen']]['alpha']:g}"
    replaced = f" in place of {before.chosen}" if before and before.chosen != chosen else ""
    log(
        f"merge: {reason}chose {chosen}{replaced}, in {run.merged_model}, "
        f"{time.monotonic() - started:.0f} s"
    )


def _fingerprints(
    run: RunDir, config: RunConfig, eval_set: EvalSet, settings: EvalConfig, *, base_model: Path
) -> dict[str, str]:
    """Fingerprints of what scores depend on except alpha: the export and the requests."""
    request = {
        "format": FORMAT,
        "made_by": MADE_BY,
        "base": model_fingerprint(base_model),
        "probes": [asdict(probe) for probe in eval_set.probes],
        "general": [asdict(item) for item in eval_set.general],
        "texts": eval_set.texts,
        "tasks": tasks_key(eval_set.tasks),
        "max_answer_tokens": settings.max_new_tokens,
        "system_prompt": config.library.system_prompt,
        "fixed_opening": has_fixed_opening(run.plan),
        "device": inference_device(config.cluster.device),
    }
    with storage_errors("read", run.export):
        return {"export": model_fingerprint(run.export), "asked": fingerprint(request)}


def _measure(
    run: RunDir,
    config: RunConfig,
    eval_set: EvalSet,
    settings: EvalConfig,
    *,
    base_model: Path,
    of: dict[str, str],
    alphas: Sequence[float],
) -> dict[float, Scores]:
    """Evaluate each alpha against the base, and append its scores as soon as they exist."""
    device = evaluation_device(config)
    answers_of_base = base_answers(config, eval_set, settings, run=run, device=device)
    base = judge_all(eval_set, answers_of_base)
    candidate_dir = run.merge / "model.partial"
    measured = {}
    try:
        for alpha in alphas:
            write_merged_model(base_model, run.export, candidate_dir, alpha=alpha)
            answers = ask(
                str(candidate_dir), eval_set, settings, name=f"merged {alpha:g}", device=device,
                system_prompt=config.library.system_prompt,
                fixed_opening=has_fixed_opening(run.plan),
            )  # fmt: skip
            judged = judge_all(eval_set, answers)
            scores = aggregate_scores(eval_set, base=base, tuned=judged)
            measured[alpha] = {"alpha": alpha, "gain_score": gain_score(eval_set, judged), **scores}
            with storage_errors("write", run.merge_candidates):
                append_json_line(run.merge_candidates, {**of, "point": measured[alpha]})
            log(f"merge: {alpha:g}: {_summary(scores)}")
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
    """Share of right fact probes, with the right page where the known answer cites one."""
    right = [
        verdict.right if verdict.page is None else verdict.page
        for probe, verdict in zip(eval_set.probes, judged.probes, strict=True)
        if probe.kind == "fact"
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


def _write_chosen(
    run: RunDir, config: RunConfig, *, base_model: Path, choice: dict[str, Any]
) -> None:
    """Atomically replace the saved merged model and its scores with the chosen one."""
    point = choice["candidates"][choice["chosen"]]
    with atomic_dir(run.merged_model, private=config.run.private, replace=True) as tmp:
        write_merged_model(base_model, run.export, tmp, alpha=point["alpha"])
        card = tmp / "README.md"
        if card.is_file():
            shown = [row.cells for row in score_table(point)]
            text = with_scores(card.read_text(encoding="utf-8"), shown)
            write_whole(card, f"{text}\n{_CARD_NOTE.format(alpha=point['alpha'])}\n")
        write_whole(tmp / POINTS_NAME, json.dumps(choice, indent=2) + "\n")
        set_modes(tmp, private=config.run.private)


_CARD_NOTE = (
    "These weights are base + {alpha:g} (tuned - base), merged by `ftdist merge`; the scores are "
    "those of the merged model, which was chosen on the same questions."
)
