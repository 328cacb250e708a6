"""FLOPs of training: model FLOPs utilization (MFU) and estimated times."""

from dataclasses import dataclass

from ftdist.config.schema import RunConfig
from ftdist.plan.dataset_info import reference_share
from ftdist.plan.model_info import ModelInfo
from ftdist.plan.plan import Plan


def flops_per_token(parameters: int, *, frozen: int = 0) -> float:
    """FLOPs of one token in the products with weights: 6 N forward and backward, less if frozen.

    Args:
        parameters: of the whole model.
        frozen: of these, without gradients of their own.
    """
    return 6.0 * parameters - 2.0 * frozen


@dataclass(frozen=True, kw_only=True)
class StepFlops:
    """FLOPs of one token of a training step, by term.

    N parameters, L layers, H hidden size, T tokens of a sequence.
    """

    weights: float
    """6 N, less 2 for each frozen one: `flops_per_token`."""

    attention: float
    """6 L H T: causal attention scores and sums."""

    reference: float
    """2 (N + L H T) on rows with `library.kl_to_base` and of the teacher: the base model's forward
    pass."""

    recomputation: float
    """2 (N + L H T) times the share of the layers that activation checkpointing computes again."""

    @property
    def model(self) -> float:
        """What the training objective needs: the FLOPs of MFU."""
        return self.weights + self.attention + self.reference

    @property
    def hardware(self) -> float:
        """What is computed, recomputation included."""
        return self.model + self.recomputation


def recomputed_share(config: RunConfig, *, layers: int) -> float:
    """Share of the layers that activation checkpointing computes again."""
    recomputed = {"none": 0, "selective": -(-layers // 2), "full": layers}
    return recomputed[config.model.activation_checkpointing] / layers


def step_flops(config: RunConfig, *, plan: Plan, model: ModelInfo) -> StepFlops:
    """FLOPs of one token of a run's steps, by term."""
    attention = model.layers * model.hidden_size * plan.sequence_length
    forward = 2.0 * (model.parameters + attention)
    return StepFlops(
        weights=flops_per_token(model.parameters, frozen=plan.frozen_parameters),
        attention=6.0 * attention,
        reference=forward * reference_share(plan.library.sources),
        recomputation=forward * recomputed_share(config, layers=model.layers),
    )
