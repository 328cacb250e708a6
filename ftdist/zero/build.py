"""Builds the engine: the sharded base model, its optimizer, and the reference model of KL."""

import os
from collections.abc import Sequence
from typing import Any

from ftdist.config.schema import RunConfig
from ftdist.dist.device import Device, Dtype, backend_of, torch_device
from ftdist.dist.heap import large_blocks_apart
from ftdist.dist.phases import collective_timeout_s
from ftdist.dist.world import World
from ftdist.nn.activation_offload import offload_layer_inputs
from ftdist.nn.model import PackedCausalLM
from ftdist.plan.plan import Plan
from ftdist.plan.sequence_parallel import mlp_tiles
from ftdist.zero.ds_config import build_ds_config, without_optimizer
from ftdist.zero.engine import Zero3Engine
from ftdist.zero.load import load_sharded_model
from ftdist.zero.optimizer import adamw, freeze
from ftdist.zero.reference_model import ReferenceModel
from ftdist.zero.sequence_parallel import SequenceParallel
from ftdist.zero.tiled_mlp import tile_mlps
from ftdist.zero.whole_layers import use_whole_layers


def build_engine(
    config: RunConfig, plan: Plan, *, world: World, device: Device, dtype: Dtype
) -> Zero3Engine:
    """The sharded base model with its optimizer. Collective; needs a process group.

    Where a source is trained by KL or samples are distilled, a second, frozen copy of the base
    model is the reference.
    Peak host memory per rank while loading: its shard of the weights, and two whole
    parameters (at most the largest) while their modules are built.
    """
    deepspeed = import_deepspeed(device, world=world)
    settings = build_ds_config(config, plan, device=device, dtype=dtype)
    with large_blocks_apart(keep=device == "cpu"):
        base = load_sharded_model(
            config.model,
            settings,
            world=world,
            device=device,
            dtype=dtype,
            activation_checkpointing=config.model.activation_checkpointing,
        )
        _fit_long_rows(base, config, device=device)
        frozen = freeze(base, config.optim.freeze_params)
        use_whole_layers(base)
        model = PackedCausalLM(base)
        if config.model.head == "model":
            model.head = "model"
        engine, *_ = deepspeed.initialize(
            model=model,
            optimizer=adamw(base, config.optim),
            config=settings,
            dist_init_required=False,
        )
        reference = None
        if plan.library.uses_reference:
            reference = build_reference(
                config, without_optimizer(settings), world=world, device=device, dtype=dtype
            )
    models = [base] if reference is None else [base, reference.model]
    return Zero3Engine(
        engine,
        model=model,
        reference=reference,
        frozen=frozen,
        world=world,
        dtype=dtype,
        sequence_parallel=_share_rows(models, config, world=world),
    )


def build_reference(
    config: RunConfig, settings: dict[str, Any], *, world: World, device: Device, dtype: Dtype
) -> ReferenceModel:
    """The base model once more, frozen; `settings` are DeepSpeed's. Collective."""
    model = load_sharded_model(
        config.model,
        settings,
        world=world,
        device=device,
        dtype=dtype,
        activation_checkpointing="none",
    )
    _fit_long_rows(model, config, device=device)
    use_whole_layers(model.requires_grad_(False))
    return ReferenceModel(
        model,
        settings=settings,
        kl_weight=config.library.kl_to_base_weight,
        distillation=config.library.context_distillation,
    )


def _fit_long_rows(model: Any, config: RunConfig, *, device: Device) -> None:
    """What saves memory in long rows: MLPs in tiles, inputs of layers in host memory."""
    tiles = mlp_tiles(config, hidden_size=model.config.get_text_config().hidden_size)
    if tiles > 1:
        tile_mlps(model, tiles=tiles)
    if config.model.activation_offload:
        offload_layer_inputs(model, device=device)


def _share_rows(
    models: Sequence[Any], config: RunConfig, *, world: World
) -> SequenceParallel | None:
    """The exchange between ranks that share rows, attached to models. None: no ranks share rows."""
    if world.sequence_parallel_size == 1:
        return None
    shared = SequenceParallel(world, timeout_s=collective_timeout_s(config.cluster.load_timeout_s))
    for model in models:
        shared.attach(model)
    return shared


def import_deepspeed(device: Device, *, world: World) -> Any:
    """DeepSpeed, set up for the device, without compiling anything. Collective."""
    os.environ["DS_ACCELERATOR"] = device
    own = torch_device(device, local_rank=world.local_rank)
    # DeepSpeed takes the device index from here: that of the visible GPU, not the local rank.
    os.environ["LOCAL_RANK"] = str(own.index or 0)
    import deepspeed
    import deepspeed.ops

    if device == "cpu":
        # On CPUs it would compile an extension for shared-memory collectives, and fail
        # without a compiler; gloo does the work instead. Reading the dictionary would run compilers
        # to look what else could be compiled.
        deepspeed.ops.__compatible_ops__ = {"deepspeed_shm_comm": False}
    # Adopts the existing process group; without this call ZeRO counts one rank.
    deepspeed.init_distributed(dist_backend=backend_of(device), auto_mpi_discovery=False)
    return deepspeed
