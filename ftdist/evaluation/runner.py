"""Ask one model everything that an evaluation asks, on one or several replicas."""

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ftdist.config.schema import EvalConfig
from ftdist.dist.device import Device, OutOfGpuMemory, give_memory_back
from ftdist.errors import ModelError
from ftdist.evaluation.eval_requests import Answers, EvalRequests
from ftdist.evaluation.eval_set import EvalSet
from ftdist.evaluation.lm_eval_tasks import Outcomes, ask_tasks
from ftdist.inference.hf_model import HFModel
from ftdist.inference.replicas import ReplicaPlan, plan_replicas
from ftdist.io.worker_pool import map_in_order

GENERAL_BATCHES = 4
"""General questions are short and no answer is generated: so many times more go together."""


@dataclass(frozen=True, kw_only=True)
class _Replica:
    """One copy of a model, and its share of what is requests."""

    requests: EvalRequests
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
    eval_set: EvalSet,
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
    requests = EvalRequests.from_inputs(eval_set)
    copies = plan_replicas(Path(model), device=device, num_replicas=settings.num_replicas)
    shares = [
        _Replica(
            requests=requests.share(number, of=copies.count),
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
    log(f"compare: {name}: loading {model}{_replicas_text(copies)}")
    if copies.count == 1:
        answers = [_answers_of_replica(shares[0])]
    else:
        # Where memory is too little for all, it is too little again: none is tried twice.
        results = map_in_order(
            _answers_of_replica,
            shares,
            processes=copies.count,
            on_crash=_no_answers,
            retry=False,
        )
        answers = list(results)
    return Answers.merged(answers, took_s=time.monotonic() - started)


def _replicas_text(copies: ReplicaPlan) -> str:
    if copies.split_over_gpus:
        return ", over all GPUs"
    return f", {copies.count} copies" if copies.count > 1 else ""


def _no_answers(replica: _Replica) -> Answers:
    raise ModelError(
        f"The process of {replica.name} ended while it answered; its memory ran out, perhaps.",
        remedy="set eval.num_replicas or eval.batch_size lower, then compare again.",
    )


def _answers_of_replica(replica: _Replica) -> Answers:
    try:
        return _answers(replica)
    except OutOfGpuMemory as error:
        raise ModelError(
            f"{replica.name}: the memory of its GPU ran out while it answered.",
            remedy="set eval.batch_size lower, then compare again.",
        ) from error
    finally:
        give_memory_back()  # the next model must not stand beside this one


def _answers(replica: _Replica) -> Answers:
    started = time.monotonic()
    requests, settings, name = replica.requests, replica.settings, replica.name
    hf_model = HFModel(
        replica.model,
        device=replica.device,
        gpu=replica.gpu,
        split_over_gpus=replica.split_over_gpus,
        system_prompt=replica.system_prompt,
        chat_template=replica.chat_template,
        threads=replica.threads,
    )
    if hf_model.is_offloaded:
        log(f"compare: {name}: the GPUs here do not hold all of it, and the rest makes it slow")
    hf_model.check_room(requests.questions, max_tokens=settings.max_new_tokens)
    batch = settings.batch_size
    answers = hf_model.answer_with_truncation(
        requests.questions,
        max_tokens=settings.max_new_tokens,
        batch=batch,
        progress=_Progress(f"{name}: answers", total=len(requests.questions)),
    )
    return Answers(
        texts=[text for text, _ in answers],
        truncated=[is_truncated for _, is_truncated in answers],
        likelihoods=_rank(
            hf_model, requests.questions, requests.choices, batch=batch, what=f"{name}: choices"
        ),
        general=_rank(
            hf_model,
            [question for question, _ in requests.general],
            [choices for _, choices in requests.general],
            batch=GENERAL_BATCHES * batch,
            what=f"{name}: general questions",
        ),
        losses=hf_model.text_losses(
            requests.texts,
            batch=batch,
            progress=_Progress(f"{name}: texts", total=len(requests.texts)),
        ),
        tasks=_tasks(hf_model, requests.tasks, batch=batch, name=name),
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
    indices = [index for index, row in enumerate(choices) if row]
    ranked = hf_model.choice_loglikelihoods(
        [questions[index] for index in indices],
        [choices[index] for index in indices],
        batch=batch,
        progress=_Progress(what, total=len(indices)),
    )
    by_index = dict(zip(indices, ranked, strict=True))
    return [by_index.get(index, []) for index in range(len(questions))]


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
