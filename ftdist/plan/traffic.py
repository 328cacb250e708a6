"""How often a step gathers all parameters, and the bytes that cross each kind of link.

Symbols: N parameters, N_t of them trained, W ranks, g ranks per node, n nodes, m micro-steps of a
step, b bytes of the model's dtype, c of the communication dtype. Collectives are rings: of the g
ranks of a node, g - 1 receive from a neighbour in it, one from another node.
"""

from dataclasses import dataclass

from ftdist.config.schema import RunConfig
from ftdist.config.schema.types import resolved
from ftdist.plan.model_info import ModelInfo
from ftdist.plan.param_names import frozen_elements

DTYPE_BYTES = {"bfloat16": 2, "float32": 4}


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """Communication of one step, without checks and metrics."""

    gathers: int
    """How often a rank gathers all parameters."""

    all_gather_bytes: float
    """That a rank receives in them."""

    reduce_scatter_bytes: float
    """That a rank receives when gradients are reduced, once per micro-step: m N_t c (W - 1) / W."""

    inside_bytes: float
    """Of both, what a rank receives from ranks of its own node."""

    between_bytes: float
    """Of both, what a node receives from other nodes."""


def is_resident(config: RunConfig, model: ModelInfo) -> bool:
    """Whether every rank keeps all parameters: they are gathered once, after each step."""
    return resolved(config.engine.param_persistence_threshold) >= model.largest_parameter


def step_traffic(
    config: RunConfig,
    *,
    model: ModelInfo,
    dtype: str,
    micro_steps: int,
    uses_reference: bool = False,
) -> Traffic:
    """The communication of one step of a config with numbers in place of `auto`.

    Args:
        config: of the run.
        model: the base model's sizes.
        dtype: of the parameters.
        micro_steps: of one step.
        uses_reference: whether the base model is gathered too, once per micro-step.
    """
    cluster, engine = config.cluster, config.engine
    ranks, each, nodes = cluster.world_size, cluster.tasks_per_node, cluster.nodes
    weights = model.parameters * DTYPE_BYTES[dtype]
    trained = model.parameters - frozen_elements(config.optim.freeze_params, model)
    gradients = micro_steps * trained * DTYPE_BYTES[engine.communication_dtype]
    passes = 1 if resolved(engine.max_live_parameters) >= model.parameters else 2
    gathers = 1 if is_resident(config, model) else passes * micro_steps
    everywhere = gathers if resolved(engine.hpz_partition_size) == 1 else 1
    inside_only = gathers - everywhere
    everywhere += micro_steps if uses_reference else 0
    gathered = weights * (
        everywhere * _others(ranks) + inside_only * _others(resolved(engine.hpz_partition_size))
    )
    reduced = gradients * _others(ranks)
    crossing = (weights * everywhere + gradients) * _others(ranks)
    return Traffic(
        gathers=everywhere + inside_only,
        all_gather_bytes=gathered,
        reduce_scatter_bytes=reduced,
        inside_bytes=gathered + reduced - (crossing / each if nodes > 1 else 0.0),
        between_bytes=crossing if nodes > 1 else 0.0,
    )


def _others(ranks: int) -> float:
    """The part of a whole that a rank receives from the others."""
    return (ranks - 1) / ranks
