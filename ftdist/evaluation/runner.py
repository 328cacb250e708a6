"""One model's answers to everything that a comparison asks; the base's are kept.

What the base answers does not depend on the run: it is kept beside the packed libraries and asked
again only if model, questions or settings differ.
"""

import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

from ftdist.config.schema import EvalConfig, RunConfig
from ftdist.dist.device import Device, OutOfGpuMemory, give_memory_back
from ftdist.errors import ModelError
from ftdist.evaluation.eval_set import Inputs
from ftdist.evaluation.lm_eval_tasks import Outcomes, ask_tasks, tasks_key
from ftdist.evaluation.scoring.distractors import rankings
from ftdist.inference.hf_model import HFModel
from ftdist.inference.model_fingerprint import model_fingerprint
from ftdist.inference.model_folder import resolve_model_folder
from ftdist.inference.replicas import ReplicaPlan, plan_replicas
from ftdist.io.hashing import fingerprint
from ftdist.io.jsonl import write_whole
from ftdist.io.worker_pool import map_in_order
from ftdist.rundir import RunDir

Item = TypeVar("Item")

CACHE_FORMAT = 5
"""Counts up whenever cached answers would no longer be what is answered now."""

MADE_BY = {"format": CACHE_FORMAT, "transformers": version("transformers")}
"""What answers hang on beside the model, the questions and the settings."""

GENERAL_BATCHES = 4
"""General questions are short and no answer is generated: so many times more go together."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What one model is asked, or one copy of it.

    Attributes:
        questions: to answer in writing.
        choices: for each of them the answers that it is ranked by (`rankings`), or none.
        general: general questions with their choices.
        texts: passages of general text.
        tasks: files of lm-eval's tasks.
    """

    questions: Sequence[str]
    choices: Sequence[Sequence[str]]
    general: Sequence[tuple[str, Sequence[str]]]
    texts: Sequence[str]
    tasks: Sequence[Path]

    @classmethod
    def of(cls, inputs: Inputs) -> "Asked":
        """All that a comparison asks."""
        return cls(
            questions=[probe.question for probe in inputs.probes],
            choices=[ranking.choices if ranking else () for ranking in rankings(inputs.probes)],
            general=[(item.question, item.choices) for item in inputs.general],
            texts=inputs.texts,
            tasks=inputs.tasks,
        )

    def share(self, number: int, *, of: int) -> "Asked":
        """What copy `number` of the model is asked: everything in turn, beginning with it."""
        return Asked(
            questions=self.questions[number::of],
            choices=self.choices[number::of],
            general=self.general[number::of],
            texts=self.texts[number::of],
            tasks=self.tasks[number::of],
        )


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What one model said.

    Attributes:
        texts: an answer for each probe.
        cut: for each of them, whether it was cut off at `eval.max_new_tokens`.
        likelihoods: for each probe the length-normalised log-likelihood of the answers that it is
            ranked by (`rankings`), in nats a byte; empty without any.
        general: the same for the choices of each general question.
        losses: for each passage of general text the summed loss in nats, and its tokens.
        tasks: by "TASK/METRIC" of lm-eval, whether each document was right.
        took_s: wall time, model loading included.
    """

    texts: list[str]
    cut: list[bool]
    likelihoods: list[list[float]]
    general: list[list[float]]
    losses: list[tuple[float, int]]
    tasks: Outcomes
    took_s: float

    @classmethod
    def together(cls, shares: Sequence["Answers"], *, took_s: float) -> "Answers":
        """The answers of all copies, in the order of what was asked (`Asked.share`)."""
        return cls(
            texts=_in_turn([share.texts for share in shares]),
            cut=_in_turn([share.cut for share in shares]),
            likelihoods=_in_turn([share.likelihoods for share in shares]),
            general=_in_turn([share.general for share in shares]),
            losses=_in_turn([share.losses for share in shares]),
            tasks={name: right for share in shares for name, right in share.tasks.items()},
            took_s=took_s,
        )


def _in_turn(shares: Sequence[list[Item]]) -> list[Item]:
    """One from each share, then the next one from each."""
    longest = max(len(share) for share in shares)
    return [share[place] for place in range(longest) for share in shares if place < len(share)]


@dataclass(frozen=True, kw_only=True)
class _Copy:
    """One copy of a model, and its share of what is asked."""

    asked: Asked
    model: str
    settings: EvalConfig
    name: str
    device: Device
    gpu: int
    split_over_gpus: bool
    threads: int
    system_prompt: str | None
    chat_template: str | None


def ask(
    model: str,
    inputs: Inputs,
    settings: EvalConfig,
    *,
    name: str,
    device: Device,
    system_prompt: str | None = None,
    chat_template: str | None = None,
) -> Answers:
    """What one model answers to every probe, and how likely it finds choices and texts.

    Copies of it answer side by side, each in a process of its own, where there is room for some.

    Raises:
        ModelError: it cannot be loaded, or a copy of it ended.
        DataError: a question leaves no room for an answer.
    """
    started = time.monotonic()
    asked = Asked.of(inputs)
    copies = plan_replicas(Path(model), device=device, num_replicas=settings.num_replicas)
    shares = [
        _Copy(
            asked=asked.share(number, of=copies.count),
            model=model,
            settings=settings,
            name=name if copies.count == 1 else f"{name} {number + 1}/{copies.count}",
            device=device,
            gpu=gpu,
            split_over_gpus=copies.split_over_gpus,
            threads=settings.num_threads or max(1, len(os.sched_getaffinity(0)) // copies.count),
            system_prompt=system_prompt,
            chat_template=chat_template,
        )
        for number, gpu in enumerate(copies.gpus)
    ]
    log(f"compare: {name}: loading {model}{_told(copies)}")
    if copies.count == 1:
        answers = [_answers_of_copy(shares[0])]
    else:
        # Where memory is too little for all, it is too little again: none is tried twice.
        results = map_in_order(
            _answers_of_copy,
            shares,
            processes=copies.count,
            on_crash=_no_answers,
            retry=False,
        )
        answers = list(results)
    return Answers.together(answers, took_s=time.monotonic() - started)


def _told(copies: ReplicaPlan) -> str:
    if copies.split_over_gpus:
        return ", over all GPUs"
    return f", {copies.count} copies" if copies.count > 1 else ""


def _no_answers(copy: _Copy) -> Answers:
    raise ModelError(
        f"The process of {copy.name} ended while it answered; its memory ran out, perhaps.",
        remedy="set eval.num_replicas or eval.batch_size lower, then compare again.",
    )


def _answers_of_copy(copy: _Copy) -> Answers:
    try:
        return _answers(copy)
    except OutOfGpuMemory as error:
        raise ModelError(
            f"{copy.name}: the memory of its GPU ran out while it answered.",
            remedy="set eval.batch_size lower, then compare again.",
        ) from error
    finally:
        give_memory_back()  # the next model must not stand beside this one


def _answers(copy: _Copy) -> Answers:
    started = time.monotonic()
    asked, settings, name = copy.asked, copy.settings, copy.name
    hf_model = HFModel(
        copy.model,
        device=copy.device,
        gpu=copy.gpu,
        split_over_gpus=copy.split_over_gpus,
        system_prompt=copy.system_prompt,
        chat_template=copy.chat_template,
        threads=copy.threads,
    )
    if hf_model.is_offloaded:
        log(f"compare: {name}: the GPUs here do not hold all of it, and the rest makes it slow")
    hf_model.check_room(asked.questions, max_tokens=settings.max_new_tokens)
    batch = settings.batch_size
    said = hf_model.answer_with_truncation(
        asked.questions,
        max_tokens=settings.max_new_tokens,
        batch=batch,
        progress=_Progress(f"{name}: answers", total=len(asked.questions)),
    )
    return Answers(
        texts=[text for text, _ in said],
        cut=[is_cut for _, is_cut in said],
        likelihoods=_rank(
            hf_model, asked.questions, asked.choices, batch=batch, what=f"{name}: choices"
        ),
        general=_rank(
            hf_model,
            [question for question, _ in asked.general],
            [choices for _, choices in asked.general],
            batch=GENERAL_BATCHES * batch,
            what=f"{name}: general questions",
        ),
        losses=hf_model.text_losses(
            asked.texts,
            batch=batch,
            progress=_Progress(f"{name}: texts", total=len(asked.texts)),
        ),
        tasks=_tasks(hf_model, asked.tasks, batch=batch, name=name),
        took_s=time.monotonic() - started,
    )


def _tasks(hf_model: HFModel, files: Sequence[Path], *, batch: int, name: str) -> Outcomes:
    if not files:
        return {}
    log(f"compare: {name}: {len(files)} tasks of lm-eval")
    return ask_tasks(hf_model.model, hf_model.tokenizer, files, batch=batch)


def _rank(
    hf_model: HFModel,
    questions: Sequence[str],
    choices: Sequence[Sequence[str]],
    *,
    batch: int,
    what: str,
) -> list[list[float]]:
    """Likelihoods of the choices of those questions that have some; of the others, none."""
    places = [place for place, row in enumerate(choices) if row]
    ranked = hf_model.choice_loglikelihoods(
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
    settings: EvalConfig,
    *,
    run: RunDir,
    device: Device,
) -> Answers:
    """The base model's answers, from the cache if they were given before."""
    folder = resolve_model_folder(config.model.path, config.model.revision)
    # A base model without a chat template is asked in the words that the tuned one learned.
    template = run.export / "chat_template.jinja"
    chat_template = template.read_text(encoding="utf-8") if template.is_file() else None
    asked = Asked.of(inputs)
    depends_on = {
        **MADE_BY,
        "model": model_fingerprint(folder),
        "questions": asked.questions,
        "choices": asked.choices,
        "general": asked.general,
        "texts": asked.texts,
        "tasks": tasks_key(asked.tasks),
        "max_answer_tokens": settings.max_new_tokens,
        "system_prompt": config.library.system_prompt,
        "chat_template": None if _has_template(folder) else chat_template,
        "device": device,
    }
    kept = Path(config.library.cache_dir) / "base-answers" / f"{fingerprint(depends_on)}.json"
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
    log(f"compare: base: answered before, read from {kept}")
    return answers


def _answers_of(kept: dict[str, Any]) -> Answers:
    losses = [(float(loss), int(tokens)) for loss, tokens in kept.pop("losses")]
    return Answers(**kept, losses=losses)


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
        log(f"compare: {self._what} {self._done}/{self._total}, {left:.0f} s left")


def log(line: str) -> None:
    """Say a line of progress."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
