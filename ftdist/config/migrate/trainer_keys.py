"""Keys that several trainers share, mostly those of transformers' TrainingArguments."""

import re
from collections.abc import Mapping
from typing import Any

from ftdist.config.migrate.draft import Draft

SAME = {
    "weight_decay": "optim.weight_decay",
    "adam_beta1": "optim.beta1",
    "adam_beta2": "optim.beta2",
    "adam_epsilon": "optim.eps",
    "max_grad_norm": "optim.max_grad_norm",
    "seed": "run.seed",
    "save_total_limit": "checkpoint.keep_latest",
}
"""Keys whose value is carried over."""

THEIR_DEFAULTS = {
    "optim.weight_decay": 0,
    "optim.beta2": 0.999,
}
"""transformers' defaults, where ftdist's differ."""

_SCHEDULES = {
    "cosine": "cosine",
    "linear": "linear",
    "constant": "constant",
    "constant_with_warmup": "constant",
    "warmup_stable_decay": "wsd",
    "cosine_with_min_lr": "cosine",
}
_ADAMW = re.compile(r"(paged_)?adamw(_\w+)?")
_LOW_BIT = re.compile(r"8bit|4bit|bnb|paged")


def write_optimizer(draft: Draft, *, name: str, is_lora: bool) -> float | int | None:
    """Set learning rate and AdamW's own keys.

    Args:
        draft: receives them.
        name: the trainer's key of the optimizer.
        is_lora: whether the config trains adapters.

    Returns:
        the config's learning rate.
    """
    rate = draft.number("learning_rate")
    if rate is not None and is_lora:
        draft.remark(
            "learning_rate",
            f"{rate:g} was chosen for LoRA; all parameters need a smaller one. Set optim.peak_lr, "
            "such as 1e-5.",
        )
    elif rate is not None:
        draft.set("optim.peak_lr", rate)
    for key, value in THEIR_DEFAULTS.items():
        draft.set(key, value)
    for theirs, ours in SAME.items():
        if (number := draft.number(theirs)) is not None:
            draft.set(ours, number)
    optimizer = (draft.text(name) or "adamw_torch").lower()
    if not _ADAMW.fullmatch(optimizer):
        draft.remark(name, f"ftdist has AdamW only, not {optimizer}: its learning rate differs.")
    elif _LOW_BIT.search(optimizer):
        draft.remark(
            name, "ftdist keeps AdamW's states in float32; `ftdist plan` shows the memory."
        )
    return rate


def write_schedule(
    draft: Draft,
    *,
    name: str,
    default: str,
    rate: float | int | None,
    steps: float | int | None,
) -> None:
    """Set the learning-rate schedule.

    Args:
        draft: receives it.
        name: the trainer's key of the schedule.
        default: the trainer's own schedule.
        rate: the config's learning rate.
        steps: of the whole training, if the config fixes them.
    """
    theirs = draft.text(name) or default
    schedule = _SCHEDULES.get(theirs)
    if schedule is None:
        draft.remark(name, f"ftdist has no schedule {theirs}: choose optim.schedule yourself.")
    else:
        draft.set("optim.schedule", schedule)
    options = draft.inside("lr_scheduler_kwargs")
    ratio = draft.number("cosine_min_lr_ratio")
    if theirs == "cosine_with_min_lr":
        least = options.number("min_lr_rate"), options.number("min_lr")
        ratio = least[0] if least[1] is None else _part(least[1], of=rate)
        if ratio is None and least[1]:
            draft.remark(
                f"{options.where}min_lr", "set optim.final_lr_ratio to it divided by optim.peak_lr."
            )
    elif schedule == "wsd":
        ratio = options.number("min_lr_ratio")
        _write_decay(draft, options, steps=steps)
    if schedule in ("cosine", "linear", "wsd"):
        draft.set("optim.final_lr_ratio", ratio or 0)
    if theirs == "constant":
        draft.set("optim.warmup_ratio", 0)
    for option in options.left:
        draft.remark(f"{options.where}{option}", "ftdist's schedules have no such option.")


def _write_decay(draft: Draft, options: Draft, *, steps: float | int | None) -> None:
    """Set the last part of a warmup_stable_decay schedule, and say how its form differs."""
    decay = options.number("num_decay_steps")
    if share := _part(decay, of=steps):
        draft.set("optim.decay_ratio", share)
    elif decay:
        draft.remark(
            f"{options.where}num_decay_steps",
            f"set optim.decay_ratio to {decay:g} divided by the steps that `ftdist plan` shows.",
        )
    if (form := options.text("decay_type") or "cosine") != "linear":
        draft.remark(
            f"{options.where}decay_type", f"ftdist's wsd schedule decays linearly, not by {form}."
        )


def _part(value: float | int | None, *, of: float | int | None) -> float | None:
    """The quotient, to six significant digits; None if a number is missing."""
    return float(f"{value / of:.6g}") if value is not None and of else None


def write_warmup(draft: Draft, *, steps: float | int | None, default: float) -> None:
    """Set the warm-up, of which ftdist knows the fraction and others also the steps.

    Args:
        draft: receives it.
        steps: of the whole training, if the config fixes them.
        default: the trainer's own fraction.
    """
    ratio, length = draft.number("warmup_ratio"), draft.number("warmup_steps")
    if length is not None and 0 < length < 1:  # transformers 5: a fraction
        ratio, length = length, None
    if length and steps:
        ratio, length = length / steps, None
    if length and not ratio:
        draft.remark(
            "warmup_steps",
            f"set optim.warmup_ratio to {length:g} divided by the steps that `ftdist plan` shows.",
        )
    elif "optim.warmup_ratio" not in draft.overrides:
        draft.set("optim.warmup_ratio", round(default if ratio is None else ratio, 6))


def write_length(draft: Draft, *, epochs: str, default: float) -> float | int | None:
    """Set how long training is.

    Returns:
        the number of steps, if the config fixes it.
    """
    steps, passes = draft.number("max_steps"), draft.number(epochs)
    if steps is not None and steps > 0:
        draft.set("train.steps", steps)
        return steps
    draft.set("train.epochs", default if passes is None else passes)
    return None


def write_batch(
    draft: Draft, *, sequence_length: int, micro: str, is_packed: bool, ranks: int | None
) -> None:
    """Set the batch: `batch.tokens` where the config packs, else a remark how to compute it.

    Args:
        draft: receives it.
        sequence_length: tokens per sequence.
        micro: the trainer's key of the rows per rank and micro-step.
        is_packed: whether a row is a packed sequence.
        ranks: of the run; None: not known.
    """
    rows = draft.number(micro) or 1
    each = int(rows * (draft.number("gradient_accumulation_steps") or 1))
    draft.set("batch.sequence_length", sequence_length)
    if is_packed:
        draft.set("batch.micro_batch_size", int(rows))
        draft.set("batch.tokens", each * sequence_length * (ranks or 1))
        if ranks is None:
            draft.remark(
                f"{micro}, gradient_accumulation_steps",
                "counted for one GPU: multiply batch.tokens by the number of GPUs.",
            )
    else:
        draft.remark(
            f"{micro}, gradient_accumulation_steps",
            f"a step has {each * (ranks or 1)} samples{'' if ranks else ' per GPU'}, and ftdist "
            "packs samples: set batch.tokens to that many times the mean tokens per sample "
            "(`ftdist plan` shows samples and tokens), a multiple of batch.sequence_length.",
        )


def write_intervals(draft: Draft) -> None:
    """Set how often the run is evaluated and saved."""
    for theirs, ours, often in (
        ("eval_steps", "eval.loss_every_steps", ("evals_per_epoch", "eval_strategy")),
        ("save_steps", "checkpoint.every_steps", ("saves_per_epoch", "save_strategy")),
    ):
        steps, strategy = draft.number(theirs), draft.take(often[1])
        per_epoch = draft.number(often[0])
        by_steps = strategy in (None, "steps")
        if strategy in ("no", False):  # whatever the steps
            draft.set(ours, 0)
        elif by_steps and steps is not None and steps >= 1:
            draft.set(ours, steps)
        elif steps or per_epoch or not by_steps:
            named = often[1] if not by_steps else theirs if steps else often[0]
            draft.remark(
                named, f"set {ours} from the steps that `ftdist plan` shows; ftdist counts steps."
            )


def write_precision(draft: Draft) -> None:
    """Set the dtype."""
    if draft.take("fp16", "float16"):
        draft.remark("fp16", "ftdist trains in bfloat16 or float32.")
    if draft.take("fp8"):
        draft.remark("fp8", "ftdist trains in bfloat16 or float32.")
    if draft.take("float32"):
        draft.set("model.dtype", "float32")
    wanted = draft.take("bf16"), draft.take("bfloat16"), draft.take("pure_bf16")
    if any(value is True for value in wanted):
        draft.set("model.dtype", "bfloat16")


def write_deepspeed(draft: Draft) -> None:
    """Choose the engine by the name or the content of a DeepSpeed config."""
    if not draft.left.get("deepspeed"):
        draft.take("deepspeed")
        return
    is_name = not isinstance(draft.left["deepspeed"], Mapping)
    name = (draft.text("deepspeed") if is_name else None) or ""
    zero = draft.inside("deepspeed").inside("zero_optimization")
    offloads = [_offloads(value) for key, value in zero.left.items() if "offload" in key]
    if "offload" in name or any(offloads):
        draft.set("engine", "zero3_offload")
    is_zero3 = zero.number("stage") == 3 or re.search(r"z(ero)?_?3", name)
    if not is_zero3:
        draft.remark("deepspeed", "ftdist always trains with ZeRO-3, whatever the stage here.")
    draft.remark("deepspeed", "settings other than stage and offload go to engine.deepspeed.")


def _offloads(value: Any) -> bool:
    """Whether DeepSpeed offloads by this setting; a mapping without a device does not."""
    return (value.get("device") or "none") != "none" if isinstance(value, Mapping) else bool(value)


def run_name(*names: Any) -> str | None:
    """A name for the run from the first of these that has letters or digits."""
    for name in names:
        words = re.sub(r"[^A-Za-z0-9._-]+", "-", str(name or "").rstrip("/").split("/")[-1])
        if words := words.strip("-._")[:64]:
            return words
    return None
