"""The base model's answers, cached: they do not depend on the run.

They are computed again only if the model, the questions or the settings differ.
"""

import json
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ftdist.config.schema import EvalConfig, RunConfig
from ftdist.data.context_prompt import with_context
from ftdist.dist.device import Device
from ftdist.evaluation.eval_requests import (
    Answers,
    EvalRequests,
    PassageAnswer,
)
from ftdist.evaluation.lm_eval_tasks import tasks_key
from ftdist.evaluation.runner import ask, log
from ftdist.inference.model_fingerprint import model_fingerprint
from ftdist.inference.model_folder import has_template, resolve_model_folder
from ftdist.io.hashing import fingerprint
from ftdist.io.jsonl import write_whole
from ftdist.plan.dataset_info import has_fixed_opening
from ftdist.rundir import RunDir

CACHE_FORMAT = 7
"""Increased whenever cached answers are no longer valid."""

MADE_BY = {"format": CACHE_FORMAT, "transformers": version("transformers")}
"""What answers depend on besides the model, the questions and the settings."""


def base_answers(
    config: RunConfig, requests: EvalRequests, settings: EvalConfig, *, run: RunDir, device: Device
) -> Answers:
    """The base model's answers, from the cache if it has them.

    Answers from passages are cached by themselves: other commands ask for none.
    """
    folder = resolve_model_folder(config.model.path, config.model.revision)
    # A base model without a chat template uses the one that the tuned model learned.
    template = run.export / "chat_template.jinja"
    chat_template = template.read_text(encoding="utf-8") if template.is_file() else None
    fixed_opening = has_fixed_opening(run.plan)
    depends_on = {
        **MADE_BY,
        "model": model_fingerprint(folder),
        "max_answer_tokens": settings.max_new_tokens,
        "system_prompt": config.library.system_prompt,
        "fixed_opening": fixed_opening,
        "chat_template": None if has_template(folder) else chat_template,
        "device": device,
        "dtype": settings.dtype,
    }
    cache = Path(config.library.cache_dir) / "base-answers"
    parts = [requests.closed, requests.from_passages] if requests.prompts else [requests.closed]
    files = [cache / f"{fingerprint(depends_on | _request_fields(part))}.json" for part in parts]
    found = [_read(file) for file in files]
    missing = [part for part, answers in zip(parts, found, strict=True) if answers is None]
    if not missing:
        log(f"compare: base: answers read from the cache, {files[0]}")
    else:
        answers = ask(
            str(folder), missing[0] if len(missing) == 1 else requests, settings, name="base",
            device=device, system_prompt=config.library.system_prompt,
            chat_template=chat_template, fixed_opening=fixed_opening,
        )  # fmt: skip
        for n, new in enumerate((answers.closed, answers.from_passages)[: len(parts)]):
            if found[n] is None:
                found[n] = new
                _write(files[n], new)
    closed, *from_passages = (answers for answers in found if answers is not None)
    return closed.joined(from_passages[0]) if from_passages else closed


def _request_fields(requests: EvalRequests) -> dict[str, Any]:
    return {
        "questions": requests.questions,
        "choices": requests.choices,
        "general": requests.general,
        "texts": requests.texts,
        "tasks": tasks_key(requests.tasks),
        "prompts": [with_context(question, passages) for question, passages in requests.prompts],
    }


def _read(cached: Path) -> Answers | None:
    try:
        values = json.loads(cached.read_text(encoding="utf-8"))
        losses = [(float(loss), int(tokens)) for loss, tokens in values.pop("losses")]
        with_passages = [PassageAnswer(*answer) for answer in values.pop("with_passages")]
        return Answers(**values, losses=losses, with_passages=with_passages)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _write(cached: Path, answers: Answers) -> None:
    cached.parent.mkdir(parents=True, exist_ok=True)
    write_whole(cached, json.dumps(asdict(answers)) + "\n")
