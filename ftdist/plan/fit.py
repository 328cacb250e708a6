"""Does a run fit its GPUs, and what is the smallest change that makes it fit?"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace

from ftdist.config.schema import RunConfig
from ftdist.config.schema.training import ActivationCheckpointing
from ftdist.config.schema.types import resolved
from ftdist.errors import ConfigError
from ftdist.io.units import format_count, format_gib
from ftdist.plan.hardware import find_hardware
from ftdist.plan.memory import memory_terms
from ftdist.plan.model_info import ModelInfo
from ftdist.plan.plan import Plan

_Labels = Mapping[str, str]

USABLE = 0.9
"""Of a GPU's memory, that a plan may fill: the rest is for fragmentation, CUDA and NCCL."""

_ALWAYS = {
    "parameters_gib": "parameters",
    "hpz_gib": "parameters shared by a node",
    "gradients_gib": "gradients",
    "bucket_gib": "bucket of gradients",
    "optimizer_gib": "optimizer",
    "base_gib": "base model",
    "outside_gib": "CUDA and NCCL",
}
_PASSES: _Labels = {
    "gathered_gib": "gathered parameters",
    "activations_gib": "activations",
}
_HEAD: _Labels = {"logits_gib": "logits", "head_gradient_gib": "gradient of the head"}
_LAYER: _Labels = {
    "backward_gib": "backward pass of a layer",
    "reduce_gib": "gradients being reduced",
}
_STEP: _Labels = {"step_gib": "optimizer step"}

TIMES_AS_MANY = (2, 4, 8, 16, 32, 64)
"""Nodes that are tried, in multiples of those of the run."""

Change = tuple[str, RunConfig]
"""Overrides as a user types them, and the config that they make."""


def check_fits(
    plan: Plan, device_gib_available: float, *, config: RunConfig, model: ModelInfo
) -> None:
    """Refuse a run that needs more memory than its GPUs have.

    Args:
        plan: of the run.
        device_gib_available: total memory of one GPU.
        config: of the run, with numbers in place of `auto`.
        model: the base model's sizes.

    Raises:
        ConfigError: it does not fit; with each term, and the smallest change that fits.
    """
    needed = plan.device_gib + plan.outside_gib
    if plan.device == "cpu" or needed <= device_gib_available:
        return
    raise ConfigError(
        f"A rank needs about {format_gib(needed)} of GPU memory, and the GPU has "
        f"{format_gib(device_gib_available)}: {terms_text(plan)}.",
        remedy=change_that_fits(config, plan, device_gib_available, model=model),
    )


def terms_text(plan: Plan) -> str:
    """The terms of a rank's device memory at its peak, largest first, as text."""
    late = _greater(plan, _HEAD, _LAYER)
    labels = {**_ALWAYS, **_greater(plan, {**_PASSES, **late}, _STEP)}
    sizes = {label: float(getattr(plan, name)) for name, label in labels.items()}
    ordered = sorted(sizes.items(), key=lambda term: -term[1])
    return ", ".join(f"{label} {format_gib(size)}" for label, size in ordered if size > 0.005)


def _greater(plan: Plan, one: _Labels, other: _Labels) -> _Labels:
    """The terms that take more together."""
    sums = [math.fsum(getattr(plan, name) for name in names) for names in (one, other)]
    return one if sums[0] >= sums[1] else other


def change_that_fits(
    config: RunConfig, plan: Plan, device_gib_available: float, *, model: ModelInfo
) -> str:
    """What to do so that the run fits, as a remedy: the smallest change that fits.

    Args:
        config: of the run, with numbers in place of `auto`.
        plan: of the run.
        device_gib_available: total memory of one GPU; a tenth of it is left to fragmentation.
        model: the base model's sizes.
    """
    usable = USABLE * device_gib_available
    if plan.outside_gib > usable:
        outside = format_gib(plan.outside_gib)
        return f"take GPUs with more memory: CUDA and NCCL alone take about {outside} per rank."
    host_gib = find_hardware(config.cluster, device=plan.device).host_gib
    for overrides, changed in _changes(config):
        terms = memory_terms(
            changed,
            model=model,
            dtype=plan.dtype,
            steps=plan.steps,
            uses_reference=plan.library.uses_reference,
            device=plan.device,
        )
        needed = terms["device_gib"] + terms["outside_gib"]
        has_host = host_gib is None or terms["host_offload_gib"] <= host_gib
        if needed <= usable and has_host:
            return f"set {overrides} (about {format_gib(needed)} per rank)."
    most = config.cluster.nodes * TIMES_AS_MANY[-1]
    return (
        "take GPUs with more memory, a smaller model, or shorter sequences; activation "
        f"checkpointing, offloading or up to {format_count(most, 'node')} are not enough."
    )


def _changes(config: RunConfig) -> Iterator[Change]:
    """Changes, each cheaper in speed or machines than the next."""
    smaller: list[str] = []
    recomputed = ("none", "selective", "full").index(config.model.activation_checkpointing)
    stronger: tuple[ActivationCheckpointing, ...] = ("selective", "full")
    for choice in stronger[recomputed:]:
        config = replace(config, model=replace(config.model, activation_checkpointing=choice))
        smaller = [f"model.activation_checkpointing={choice}"]
        yield smaller[0], config
    if resolved(config.batch.micro_batch_size) > 1:
        smaller.append("batch.micro_batch_size=1")
        config = replace(config, batch=replace(config.batch, micro_batch_size=1))
        yield " ".join(smaller), config
    if not config.engine.offload_optimizer:
        engine = replace(config.engine, offload_optimizer=True, offload_parameters=True)
        yield " ".join([*smaller, "engine=zero3_offload"]), replace(config, engine=engine)
    for times in TIMES_AS_MANY:
        nodes = config.cluster.nodes * times
        cluster = replace(config.cluster, nodes=nodes)
        yield " ".join([*smaller, f"cluster.nodes={nodes}"]), replace(config, cluster=cluster)
