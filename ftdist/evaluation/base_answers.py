"""The base model's answers, cached: they do not depend on the run.

They are computed again only if the model, the questions or the settings differ.
"""

import json
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ftdist.config.schema import EvalConfig, RunConfig
from ftdist.dist.device import Device
from ftdist.evaluation.eval_requests import Answers, EvalRequests
from ftdist.evaluation.eval_set import EvalSet
from ftdist.evaluation.lm_eval_tasks import tasks_key
from ftdist.evaluation.runner import ask, log
from ftdist.inference.model_fingerprint import model_fingerprint
from ftdist.inference.model_folder import has_template, resolve_model_folder
from ftdist.io.hashing import fingerprint
from ftdist.io.jsonl import write_whole
from ftdist.plan.dataset_info import has_fixed_opening
from ftdist.rundir import RunDir

CACHE_FORMAT = 6
"""Increased whenever cached answers are no longer valid."""

MADE_BY = {"format": CACHE_FORMAT, "transformers": version("transformers")}
"""What answers depend on besides the model, the questions and the settings."""


def base_answers(
    config: RunConfig,
    eval_set: EvalSet,
    settings: EvalConfig,
    *,
    run: RunDir,
    device: Device,
) -> Answers:
    """The base model's answers, from the cache if it has them."""
    folder = resolve_model_folder(config.model.path, config.model.revision)
    # A base model without a chat template uses the one that the tuned model learned.
    template = run.export / "chat_template.jinja"
    chat_template = template.read_text(encoding="utf-8") if template.is_file() else None
    fixed_opening = has_fixed_opening(run.plan)
    requests = EvalRequests.from_inputs(eval_set)
    depends_on = {
        **MADE_BY,
        "model": model_fingerprint(folder),
        "questions": requests.questions,
        "choices": requests.choices,
        "general": requests.general,
        "texts": requests.texts,
        "tasks": tasks_key(requests.tasks),
        "max_answer_tokens": settings.max_new_tokens,
        "system_prompt": config.library.system_prompt,
        "fixed_opening": fixed_opening,
        "chat_template": None if has_template(folder) else chat_template,
        "device": device,
    }
    cached = Path(config.library.cache_dir) / "base-answers" / f"{fingerprint(depends_on)}.json"
    try:
        answers = _from_json(json.loads(cached.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, KeyError):
        answers = ask(
            str(folder), eval_set, settings, name="base", device=device,
            system_prompt=config.library.system_prompt, chat_template=chat_template,
            fixed_opening=fixed_opening,
        )  # fmt: skip
        cached.parent.mkdir(parents=True, exist_ok=True)
        write_whole(cached, json.dumps(asdict(answers)) + "\n")
        return answers
    log(f"compare: base: answers read from the cache, {cached}")
    return answers


def _from_json(cached: dict[str, Any]) -> Answers:
    losses = [(float(loss), int(tokens)) for loss, tokens in cached.pop("losses")]
    return Answers(**cached, losses=losses)
