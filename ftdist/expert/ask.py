"""One model's answers to everything that a comparison asks; the base's are kept.

What the base answers does not depend on the run: it is kept beside the packed libraries and asked
again only if model, questions or settings differ.
"""

import gc
import hashlib
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ftdist.config.schema import CompareConfig, RunConfig
from ftdist.dist.device import Device
from ftdist.errors import ModelError
from ftdist.expert.answers import Answerer, model_key
from ftdist.expert.inputs import Inputs
from ftdist.expert.rivals import rankings
from ftdist.expert.tasks import Outcomes, tasks_key
from ftdist.rundir import RunDir, write_whole

CACHE_FORMAT = 3
"""Counts up whenever cached answers would no longer be what is answered now."""

GENERAL_BATCHES = 4
"""General questions are short and no answer is generated: so many times more go together."""


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What one model said.

    Attributes:
        texts: an answer for each probe.
        likelihoods: for each probe the length-normalised log-likelihood of the answers that it is
            ranked by (`rankings`), in nats a byte; empty without any.
        general: the same for the choices of each general question.
        losses: for each passage of general text the summed loss in nats, and its tokens.
        tasks: by "TASK/METRIC" of lm-eval, whether each document was right.
        took_s: wall time, model loading included.
    """

    texts: list[str]
    likelihoods: list[list[float]]
    general: list[list[float]]
    losses: list[tuple[float, int]]
    tasks: Outcomes
    took_s: float


def ask(
    model: str,
    inputs: Inputs,
    settings: CompareConfig,
    *,
    name: str,
    device: Device,
    system_prompt: str | None = None,
    chat_template: str | None = None,
) -> Answers:
    """What one model answers to every probe, and how likely it finds choices and texts."""
    started = time.monotonic()
    say(f"compare: {name}: loading {model}")
    answerer = Answerer(
        model,
        device=device,
        system_prompt=system_prompt,
        chat_template=chat_template,
        threads=settings.threads,
    )
    batch, questions = settings.batch_questions, [probe.question for probe in inputs.probes]
    texts = answerer.answer(
        questions,
        max_tokens=settings.max_answer_tokens,
        batch=batch,
        progress=_Progress(f"{name}: answers", total=len(questions)),
    )
    choices = [ranking.choices if ranking else () for ranking in rankings(inputs.probes)]
    answers = Answers(
        texts=texts,
        likelihoods=_rank(answerer, questions, choices, batch=batch, what=f"{name}: choices"),
        general=_rank(
            answerer,
            [item.question for item in inputs.general],
            [item.choices for item in inputs.general],
            batch=GENERAL_BATCHES * batch,
            what=f"{name}: general questions",
        ),
        losses=answerer.losses(
            inputs.texts,
            batch=batch,
            progress=_Progress(f"{name}: texts", total=len(inputs.texts)),
        ),
        tasks=_tasks(answerer, inputs.tasks, batch=batch, name=name),
        took_s=time.monotonic() - started,
    )
    del answerer
    gc.collect()  # the next model must not stand beside this one in memory
    return answers


def _tasks(answerer: Answerer, files: Sequence[Path], *, batch: int, name: str) -> Outcomes:
    if not files:
        return {}
    say(f"compare: {name}: {len(files)} tasks of lm-eval")
    return answerer.tasks(files, batch=batch)


def _rank(
    answerer: Answerer,
    questions: Sequence[str],
    choices: Sequence[Sequence[str]],
    *,
    batch: int,
    what: str,
) -> list[list[float]]:
    """Likelihoods of the choices of those questions that have some; of the others, none."""
    places = [place for place, row in enumerate(choices) if row]
    ranked = answerer.rank(
        [questions[place] for place in places],
        [choices[place] for place in places],
        batch=batch,
        progress=_Progress(what, total=len(places)),
    )
    by_place = dict(zip(places, ranked, strict=True))
    return [by_place.get(place, []) for place in range(len(questions))]


def base_answers(
    config: RunConfig,
    inputs: Inputs,
    settings: CompareConfig,
    *,
    run: RunDir,
    device: Device,
) -> Answers:
    """The base model's answers, from the cache if they were given before."""
    folder = base_folder(config.model.path, config.model.revision)
    # A base model without a chat template is asked in the words that the tuned one learned.
    template = run.export / "chat_template.jinja"
    chat_template = template.read_text(encoding="utf-8") if template.is_file() else None
    asked = {
        "format": CACHE_FORMAT,
        "model": model_key(folder),
        "questions": [probe.question for probe in inputs.probes],
        "choices": [ranking.choices if ranking else () for ranking in rankings(inputs.probes)],
        "general": [[item.question, item.choices] for item in inputs.general],
        "texts": inputs.texts,
        "tasks": tasks_key(inputs.tasks),
        "max_answer_tokens": settings.max_answer_tokens,
        "system_prompt": config.library.system_prompt,
        "chat_template": None if _has_template(folder) else chat_template,
        "device": device,
    }
    key = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:32]
    kept = Path(config.library.cache) / "base-answers" / f"{key}.json"
    try:
        answers = _answers_of(json.loads(kept.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, KeyError):
        answers = ask(
            str(folder), inputs, settings, name="base", device=device,
            system_prompt=config.library.system_prompt, chat_template=chat_template,
        )  # fmt: skip
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_whole(kept, json.dumps(asdict(answers)) + "\n")
        return answers
    say(f"compare: base: answered before, read from {kept}")
    return answers


def _answers_of(kept: dict[str, Any]) -> Answers:
    losses = [(float(loss), int(tokens)) for loss, tokens in kept.pop("losses")]
    return Answers(**kept, losses=losses)


def base_folder(path: str, revision: str | None) -> Path:
    """The base model's folder; a hub name's is fetched, or found in the hub's cache.

    Raises:
        ModelError: there is none.
    """
    if Path(path).is_dir():
        return Path(path)
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    wanted = ["*.json", "*.safetensors", "*.jinja", "*.model", "*.txt"]
    try:
        return Path(snapshot_download(path, revision=revision, allow_patterns=wanted))
    except (OSError, HfHubHTTPError, HFValidationError) as error:
        raise ModelError(
            f"model.path={path} is not a folder, and the hub does not give it: "
            f"{str(error).strip().splitlines()[0]}",
            remedy="name a folder that is there, or check the network and the hub name.",
        ) from error


def _has_template(folder: Path) -> bool:
    if (folder / "chat_template.jinja").is_file():
        return True
    settings = folder / "tokenizer_config.json"
    return settings.is_file() and '"chat_template"' in settings.read_text(encoding="utf-8")


class _Progress:
    """Says on stdout how many questions are done and how long the rest will take."""

    def __init__(self, what: str, *, total: int) -> None:
        self._what, self._total, self._done = what, total, 0
        self._started = time.monotonic()

    def __call__(self, count: int) -> None:
        self._done += count
        spent = time.monotonic() - self._started
        left = spent / self._done * (self._total - self._done)
        say(f"compare: {self._what} {self._done}/{self._total}, {left:.0f} s left")


def say(line: str) -> None:
    """Say a line of progress."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
