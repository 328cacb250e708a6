"""The plan of a run: steps, memory and disk, as `make_plan` computes them. No torch.

Sizes are GiB (2**30 bytes) on one rank unless a name says otherwise. Symbols in the formulas:
N parameters, N_t of them trained, L layers, H hidden size, V vocabulary, W world size, T tokens of
one micro-batch per rank (micro_batch_size x sequence_length / sequence_parallel_size), b bytes of
the model's dtype, a of the accumulation dtype, c of the communication dtype, I width of the MLP.
Names of files are DeepSpeed's 0.19.8 (runtime/zero) and torch's. No margin for fragmentation is in
it: leave a tenth of a GPU.
"""

import dataclasses
import json
from dataclasses import dataclass
from typing import Literal, Self

from ftdist.plan.dataset_info import PackedDatasetInfo, PackedSourceInfo


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The value of a key that was `auto`, and why."""

    key: str
    value: bool | int | str
    reason: str


UNKNOWN_LAYERS = "layers"
"""Among a plan's `estimates`: the family's layers were not counted, and Llama's stand in."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Steps, memory and disk of a run. The fields named in `estimates` are rules of thumb."""

    world_size: int
    steps: int
    global_sequences: int
    micro_batch_size: int
    micro_steps: int
    sequence_length: int
    sequence_parallel_size: int = 1
    """Ranks that share each row."""

    library: PackedDatasetInfo
    epochs: float
    """Passes over the library that `steps` make."""

    tokens: int
    """Of all steps, packed to full sequences."""

    device: Literal["cpu", "cuda"]
    dtype: Literal["bfloat16", "float32"]
    parameters: int
    """Of the whole model."""

    frozen_parameters: int = 0
    """Of these, frozen by `optim.freeze_params`, by the names in the model's files."""

    parameters_gib: float
    """N b / W, the shard; in host memory with parameter offload. With hpZ over g ranks, N b / g
    more.
    """

    hpz_gib: float = 0.0
    """N b / g, the second copy of parameters that g ranks share (`engine.hpz_partition_size`)."""

    gradients_gib: float
    """N_t a / W accumulated; in host memory with optimizer offload."""

    bucket_gib: float = 0.0
    """The buffer in which gradients are collected before they are reduced:
    `engine.reduce_bucket_size` elements of c bytes (on CPUs at most N_t).
    stage3.py, `ipg_buckets`."""

    optimizer_gib: float
    """12 N_t / W: float32 master weights and two moments; 8 N_t / W in float32, where the
    parameters are the master weights; in host memory with offload."""

    base_gib: float = 0.0
    """N b / W, this rank's shard of the base model, with `library.kl_to_base` or
    `library.context_distillation`; else 0."""

    reference_cache_gib: float = 0.0
    """Host memory of the base model's hidden states that are kept from a row's first pass: H b / W
    for each token trained by KL to it, at most `engine.reference_cache_gib`."""

    gathered_gib: float
    """Parameters gathered at once, min(N, max(live, largest)) b, and the flat buffer of those
    gathered ahead, min(N, prefetch) b; 0 with one rank, whose shard is the whole.
    partition_parameters.py, `AllGatherCoalescedHandle`."""

    activations_gib: float
    """What the forward pass saves for the backward pass: T S per layer that is not recomputed,
    T H b per layer that is (two with `model.activation_offload`), S of one recomputed layer,
    and the last norm. S, bytes per token and layer, follows from norms, attention and MLP:
    ftdist/plan/activations.py. Ranks that share rows: three copies of their queries, keys and
    values around an exchange."""

    logits_gib: float
    """One chunk of R tokens, 8 R V, or 10 R V in bfloat16 on GPUs, and hidden states with their
    gradient, 2 T H b.

    With the base model beside it 16 R V, the base model's hidden states and its head V H b.
    """

    head_gradient_gib: float = 0.0
    """Of the head: V H b, and 4 V H while chunks are summed, or c V H when it is cast to be
    reduced (and c V H where W does not divide V H)."""

    backward_gib: float = 0.0
    """Gradients inside one layer, T max(2 I b, 16 H) + 2 T H b, and scores with eager attention;
    with a tied head its gradient V H b, which waits for the embedding's."""

    reduce_gib: float = 0.0
    """The gradients of a whole layer, b per element, until its hook; and a bucket's copy in the
    order of the ranks, c bucket, or, if larger, the cast P c of a layer's largest matrix P that
    exceeds the bucket. stage3.py, `__avg_scatter_grads`."""

    step_gib: float = 0.0
    """In the optimizer step alone: a flat copy of a sub-group's gradients, 4 min(sub-group,
    N_t / W), or a gradient in float64 for its norm, 8 largest / W. stage3.py,
    `_prepare_fp32_grad_for_sub_group`, `get_grad_norm_direct`."""

    device_gib: float
    """Peak of torch's allocator: parameters, hpZ, gradients, bucket, optimizer, base, and the
    greater of two phases: passes (gathered, activations, and the greater of logits with head
    gradient and backward with reduce) and step."""

    outside_gib: float = 0.0
    """CUDA context, NCCL and libraries, outside torch's allocator: 2 GiB assumed; 0 on CPUs."""

    host_offload_gib: float
    """With `engine.offload_optimizer` 20 N_t / W: master weights and moments, and gradients
    twice in pinned blocks, each rounded up to a power of two on GPUs; with
    `engine.offload_parameters` N b / W, pinned. stage3.py; CachingHostAllocator.h."""

    host_load_gib: float
    """Peak of host memory while loading: each rank reads its own slices of the files, so its
    shard N b / W and, while modules are made, two whole parameters, at most the largest: input
    and output embedding, before they are tied or sharded."""

    host_save_gib: float = 0.0
    """Host memory of the copy from which checkpoints are written beside training: (12 N_t +
    (N - N_t) b) / W, with `checkpoint.async_save`; 0 where only the last one is saved."""

    checkpoint_gib: float
    """One checkpoint, all ranks: 12 N_t, and (N - N_t) b of frozen parameters."""

    export_gib: float
    """The exported model: N times the bytes of its dtype."""

    disk_gib: float
    """min(max(keep_latest, 2) + 1, all) checkpoints (one is written before the oldest is
    deleted), one more if the best is kept, and the export."""

    estimates: tuple[str, ...]

    gathers: int = 0
    """How often a step gathers all parameters, the base model's included."""

    all_gather_gib: float = 0.0
    """Parameters that a rank receives per step."""

    reduce_scatter_gib: float = 0.0
    """Gradients that a rank receives per step."""

    inside_node_gib: float = 0.0
    """Of both, received from ranks of the same node, per rank and step."""

    between_nodes_gib: float = 0.0
    """Of both, received from other nodes, per node and step."""

    hardware: str = ""
    """What the engine's settings were chosen for."""

    choices: tuple[Choice, ...] = ()
    """Values of the keys that were `auto`."""

    @property
    def data_parallel_size(self) -> int:
        """Groups of ranks that each compute rows of their own."""
        return self.world_size // self.sequence_parallel_size

    @property
    def exposures(self) -> float:
        """Exposures per answer of the library, on average over the run."""
        return self.epochs * self.library.exposures_per_pass

    def times_seen(self, source: PackedSourceInfo) -> float:
        """How often the run shows each sample of a source, on average."""
        return self.epochs * source.weight * self.library.sources[0].tokens / source.tokens

    def to_json(self) -> str:
        """As JSON text."""
        return json.dumps(dataclasses.asdict(self), indent=2)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """From JSON text."""
        values = json.loads(text)
        values["library"] = PackedDatasetInfo.from_values(values["library"])
        values["estimates"] = tuple(values["estimates"])
        values["choices"] = tuple(Choice(**each) for each in values.get("choices", ()))
        return cls(**values)


def choose_dtype(
    choice: Literal["auto", "bfloat16", "float32"], *, device: Literal["cpu", "cuda"]
) -> Literal["bfloat16", "float32"]:
    """The dtype that `model.dtype` means on `device`: bfloat16 on GPUs, float32 on CPUs."""
    if choice != "auto":
        return choice
    return "bfloat16" if device == "cuda" else "float32"
