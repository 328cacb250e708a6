"""Evaluate one model on an evaluation set, on one or several replicas."""

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ftdist.config.schema import EvalConfig, RunConfig
from ftdist.data.context_prompt import with_context
from ftdist.data.messages import Message
from ftdist.dist.device import Device, OutOfGpuMemory, give_memory_back
from ftdist.dist.device import evaluation_device as device_of_evaluation
from ftdist.errors import ModelError
from ftdist.evaluation.answer_progress import AnswerProgress
from ftdist.evaluation.eval_requests import Answers, EvalRequests, PassageAnswer, PassagePrompt
from ftdist.evaluation.lm_eval_tasks import Outcomes, ask_tasks
from ftdist.inference.hf_model import HFModel
from ftdist.inference.loading import inference_dtype
from ftdist.inference.replicas import ReplicaPlan, plan_replicas
from ftdist.io.progress import Heartbeat
from ftdist.io.worker_pool import map_in_order


@dataclass(frozen=True, kw_only=True)
class _Replica:
    """One replica of a model and its share of the requests."""

    requests: EvalRequests
    model: str
    settings: EvalConfig
    name: str
    device: Device
    gpu: int | None
    threads: int
    system_prompt: str | None
    chat_template: str | None
    fixed_opening: bool


def evaluation_device(config: RunConfig) -> Device:
    """The device on which this process evaluates the models of a run: a GPU if the job has one.

    Raises:
        ConfigError: torch cannot use the job's GPUs.
        DeviceError: the job has GPUs, and this process sees none.
    """
    device = device_of_evaluation(config.cluster.device)
    if device == "cpu" and config.cluster.device == "cuda":
        log("compare: this process sees no GPU: models are evaluated on the CPU")
    return device


def with_dtype(settings: EvalConfig, *, tuned: Path, device: Device) -> EvalConfig:
    """Settings in which `dtype` is named: for the base model that of the tuned one, too."""
    if settings.dtype != "auto":
        return settings
    return replace(settings, dtype=inference_dtype(tuned, device=device))


def ask(
    model: str,
    requests: EvalRequests,
    settings: EvalConfig,
    *,
    name: str,
    device: Device,
    system_prompt: str | None = None,
    chat_template: str | None = None,
    fixed_opening: bool = False,
) -> Answers:
    """Generate one model's answers to all questions, and score its choices and texts.

    If there is room for several replicas, they run in parallel, each in its own process.

    Args:
        model: its folder.
        requests: what it is asked.
        settings: evaluation settings.
        name: of the model, in lines of progress.
        device: where it computes.
        system_prompt: put before every question; None: as the chat template does by itself.
        chat_template: used if the tokenizer has none.
        fixed_opening: whether prompts include the template's opening of an answer.

    Raises:
        ModelError: it cannot be loaded, or a replica died.
        DataError: a question leaves no room for an answer.
    """
    started = time.monotonic()
    plan = plan_replicas(Path(model), device=device, num_replicas=settings.num_replicas)
    shares = [
        _Replica(
            requests=requests.share(number, of=plan.count),
            model=model,
            settings=settings,
            name=name if plan.count == 1 else f"{name} {number + 1}/{plan.count}",
            device=device,
            gpu=gpu,
            threads=settings.num_threads or max(1, len(os.sched_getaffinity(0)) // plan.count),
            system_prompt=system_prompt,
            chat_template=chat_template,
            fixed_opening=fixed_opening,
        )
        for number, gpu in enumerate(plan.gpus)
    ]
    log(f"compare: {name}: loading {model}{_replicas_text(plan)}")
    return Answers.merged(_answers_of_all(shares), took_s=time.monotonic() - started)


def _answers_of_all(replicas: Sequence[_Replica]) -> list[Answers]:
    """One replica's answers from this process, those of several from their own."""
    if len(replicas) == 1:
        return [_answers_of_replica(replicas[0])]
    # A retry would run out of memory again.
    results = map_in_order(
        _answers_of_replica, replicas, processes=len(replicas), on_crash=_no_answers, retry=False
    )
    return list(results)


def _replicas_text(plan: ReplicaPlan) -> str:
    if plan.gpus == (None,):
        return ", over all GPUs"
    return f", {plan.count} replicas" if plan.count > 1 else ""


def _no_answers(replica: _Replica) -> Answers:
    raise ModelError(
        f"The process of {replica.name} died during the evaluation, perhaps out of memory.",
        remedy="lower eval.num_replicas or eval.batch_size, then rerun the comparison.",
    )


def _answers_of_replica(replica: _Replica) -> Answers:
    try:
        with _LOG:
            return _answers(replica)
    except OutOfGpuMemory as error:
        raise ModelError(
            f"{replica.name} ran out of GPU memory during the evaluation.",
            remedy="lower eval.batch_size, then rerun the comparison.",
        ) from error
    finally:
        give_memory_back()  # before the next model is loaded


def _answers(replica: _Replica) -> Answers:
    started = time.monotonic()
    requests, settings, name = replica.requests, replica.settings, replica.name
    hf_model = HFModel(
        replica.model,
        device=replica.device,
        dtype=None if settings.dtype == "auto" else settings.dtype,
        gpu=replica.gpu,
        system_prompt=replica.system_prompt,
        chat_template=replica.chat_template,
        fixed_opening=replica.fixed_opening,
        threads=replica.threads,
    )
    if hf_model.is_offloaded:
        log(
            f"compare: {name}: the model does not fit on the GPUs; the offloaded part makes the "
            "evaluation slow"
        )
    log(f"compare: {name}: generating {len(requests.questions)} answers")
    hf_model.check_room(requests.questions, max_tokens=settings.max_new_tokens)
    batch = settings.batch_size
    answers = _written(hf_model, requests.questions, settings, what=f"{name}: answers")
    began = time.monotonic()
    with_passages = _answers_from_passages(hf_model, requests.prompts, settings, name=name)
    passages_s = time.monotonic() - began
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
            batch=batch,
            what=f"{name}: general questions",
        ),
        losses=hf_model.text_losses(
            requests.texts,
            batch=batch,
            progress=AnswerProgress(f"{name}: texts", total=len(requests.texts), log=log),
        ),
        tasks=_tasks(hf_model, requests.tasks, batch=batch, name=name),
        took_s=time.monotonic() - started,
        with_passages=with_passages,
        passages_s=passages_s,
    )


def _written(
    hf_model: HFModel, questions: Sequence[str], settings: EvalConfig, *, what: str
) -> list[tuple[str, bool]]:
    """Each answer, and whether it was truncated."""
    progress = AnswerProgress(what, total=len(questions), log=log)
    return hf_model.answer_with_truncation(
        questions,
        max_tokens=settings.max_new_tokens,
        batch=settings.batch_size,
        progress=progress,
        on_token=progress.within,
    )


def _answers_from_passages(
    hf_model: HFModel, prompts: Sequence[PassagePrompt], settings: EvalConfig, *, name: str
) -> list[PassageAnswer]:
    """The answers to questions whose passages are shortened where they leave no room for one."""
    fitted = [_fitted(hf_model, prompt, max_tokens=settings.max_new_tokens) for prompt in prompts]
    answers = _written(
        hf_model,
        [with_context(question, passages) for question, passages in fitted],
        settings,
        what=f"{name}: answers from passages",
    )
    return [
        PassageAnswer(text, is_truncated, prompt.passages != passages)
        for (text, is_truncated), prompt, (_, passages) in zip(
            answers, prompts, fitted, strict=True
        )
    ]


def _fitted(hf_model: HFModel, prompt: PassagePrompt, *, max_tokens: int) -> PassagePrompt:
    """The prompt with the last passages left out, and the first one cut, until it fits."""
    question, passages = prompt
    while passages:
        message = Message(role="user", content=with_context(question, passages))
        if hf_model.has_room([message], max_tokens=max_tokens):
            break
        *others, last = passages
        half = last[: len(last) // 2].rstrip()
        passages = tuple(others) if others or not half else (half,)
    return PassagePrompt(question, passages)


def _tasks(hf_model: HFModel, files: Sequence[Path], *, batch: int, name: str) -> Outcomes:
    if not files:
        return {}
    log(f"compare: {name}: {len(files)} lm-eval tasks")
    return ask_tasks(hf_model.model, hf_model.tokenizer, files, batch=batch)


def _rank(
    hf_model: HFModel,
    questions: Sequence[str],
    choices: Sequence[Sequence[str]],
    *,
    batch: int,
    what: str,
) -> list[list[float]]:
    """Log-likelihoods of each question's choices; empty for a question without choices."""
    indices = [index for index, row in enumerate(choices) if row]
    ranked = hf_model.choice_loglikelihoods(
        [questions[index] for index in indices],
        [choices[index] for index in indices],
        batch=batch,
        progress=AnswerProgress(what, total=len(indices), log=log),
    )
    by_index = dict(zip(indices, ranked, strict=True))
    return [by_index.get(index, []) for index in range(len(questions))]


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


_LOG = Heartbeat(_print)


def log(line: str) -> None:
    """Print a line of progress."""
    _LOG(line)


def repeat_if_silent() -> Heartbeat:
    """While it is entered, a step that says nothing for long says that it is still at work."""
    return _LOG
