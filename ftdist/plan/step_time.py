"""How long a training step takes on GPUs, computed term by term. No torch.

Nothing here was measured by ftdist on a GPU: docs/performance.md has the formulas with two worked
examples beside published figures. Symbols: N parameters outside the embeddings, L layers, H hidden
size, V vocabulary, T tokens of a micro-batch, s tokens of a sample, W ranks, P the GPU's peak,
B its memory bandwidth.
"""

import math
from dataclasses import dataclass, fields

from ftdist.config.schema import RunConfig
from ftdist.plan.dataset_info import reference_share, row_shares
from ftdist.plan.gpus import Gpu
from ftdist.plan.hardware import Hardware
from ftdist.plan.model_info import ModelInfo
from ftdist.plan.plan import Plan
from ftdist.plan.traffic import step_traffic

PRODUCTS = 0.5
"""Share of the peak that matrix products of layers and head reach in training.

With this, `VARLEN` and `BANDWIDTH`, Llama-3.1-8B on 8 H100 in sequences of 8,192 with every second
layer recomputed comes out near the 5,762 tokens/s per GPU that torchtitan published.
"""

VARLEN = 0.28
"""The same of flash attention over packed samples."""

MASKED = 0.15
"""The same of masked attention, which computes all T x T scores."""

BANDWIDTH = 0.8
"""Share of the memory bandwidth that elementwise kernels reach."""

ELEMENTWISE_BYTES = 480
"""Read and written per token, layer and unit of width, forward and backward: norms, rotary
embedding, SwiGLU and residuals, each a kernel of its own."""

OPTIMIZER_BYTES = 60
"""Read and written per parameter of a rank: gradient norm, clipping, AdamW, and the new weights."""

HOST_GB_PER_S = 10.0
"""Of host memory for each CPU thread of a rank that runs the optimizer step."""

HIDDEN = 0.7
"""Of the computation, behind which communication can hide."""

EXPOSED = 0.1
"""Of the communication, that never hides: the first gather and the last reduction of a pass."""

RECOMPUTED = {"none": 0.0, "selective": 0.5, "full": 1.0}
"""Share of the layers whose forward pass the backward pass repeats."""


@dataclass(frozen=True, kw_only=True)
class StepTime:
    """Seconds of one optimizer step of a rank, by what takes them."""

    products_s: float
    """6 N T / (0.5 P), and 2 N T of recomputed layers."""

    attention_s: float
    """7 L H s T / (0.28 P), or 7 L H T T / (0.15 P) / 2 with a mask; 2 of 7 more if recomputed."""

    elementwise_s: float
    """480 L H T / (0.8 B), a third more if recomputed."""

    head_s: float
    """6 V H / (0.5 P) for each loss token."""

    reference_s: float
    """A third of the layers' time, on rows with `library.kl_to_base` and rows of the teacher."""

    communication_s: float
    """What does not hide behind 0.7 of the computation, at least a tenth."""

    optimizer_s: float
    """60 N / W / (0.8 B); with the optimizer in host memory, over 10 GB/s for each thread."""

    @property
    def total_s(self) -> float:
        """The whole step."""
        return math.fsum(getattr(self, field.name) for field in fields(self))


def step_time(
    config: RunConfig, *, plan: Plan, model: ModelInfo, gpu: Gpu, links: Hardware
) -> StepTime:
    """Compute the time of a step on GPUs.

    Args:
        config: planned.
        plan: of that config.
        model: the base model's sizes.
        gpu: each rank's.
        links: between the ranks.
    """
    peak, bandwidth = gpu.tflops * 1e12, gpu.memory_gb_per_s * 1e9 * BANDWIDTH
    tokens = plan.tokens / plan.steps / plan.world_size
    again = RECOMPUTED[config.model.activation_checkpointing]
    embedding = model.embedding_rows * model.hidden_size
    layers = model.parameters - embedding * (1 if model.tied else 2)
    products = (6 + 2 * again) * layers * tokens / (PRODUCTS * peak)
    width = model.layers * model.hidden_size
    scores = (7 + 2 * again) * width * tokens
    if config.model.attention in ("sdpa", "eager"):
        row = plan.micro_batch_size * plan.sequence_length
        attention = scores * row / (MASKED * peak)
    else:
        attention = scores * _sample_tokens(plan) / (VARLEN * peak)
    elementwise = ELEMENTWISE_BYTES * width * tokens * (1 + again / 3) / bandwidth
    loss_tokens, reference = _shares(plan)
    head = 6 * embedding * tokens * loss_tokens / (PRODUCTS * peak)
    forward = (products + attention + elementwise) / (3 + again)
    optimizer_bandwidth = bandwidth
    if config.engine.offload_optimizer:
        optimizer_bandwidth = HOST_GB_PER_S * 1e9 * config.cluster.threads
    computed = products + attention + elementwise + head + reference * forward
    communication = _communication_s(config, plan=plan, model=model, links=links)
    return StepTime(
        products_s=products,
        attention_s=attention,
        elementwise_s=elementwise,
        head_s=head,
        reference_s=reference * forward,
        communication_s=max(EXPOSED * communication, communication - HIDDEN * computed),
        optimizer_s=OPTIMIZER_BYTES * model.parameters / plan.world_size / optimizer_bandwidth,
    )


def _communication_s(config: RunConfig, *, plan: Plan, model: ModelInfo, links: Hardware) -> float:
    """Seconds of a step's collectives: the slower of the links inside and between nodes."""
    traffic = step_traffic(
        config,
        model=model,
        dtype=plan.dtype,
        micro_steps=plan.micro_steps,
        uses_reference=plan.library.uses_reference,
    )
    return max(
        traffic.inside_bytes / links.inside_gb_per_s / 1e9,
        traffic.between_bytes / links.between_gb_per_s / 1e9,
    )


def _sample_tokens(plan: Plan) -> float:
    """Mean tokens of a sample in the rows, weighted by tokens of the sources."""
    sources = plan.library.sources
    tokens = sum(source.tokens for source in sources)
    samples = sum(source.samples for source in sources)
    return min(plan.sequence_length, tokens / max(1, samples))


def _shares(plan: Plan) -> tuple[float, float]:
    """Loss tokens, and tokens that the base model reads, for each token of the rows."""
    sources = plan.library.sources
    weighted = list(zip(sources, row_shares(sources), strict=True))
    loss = math.fsum(share * s.loss_tokens / max(1, s.tokens) for s, share in weighted)
    return loss, reference_share(sources)
