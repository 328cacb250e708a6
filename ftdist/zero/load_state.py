"""Loads training state from a checkpoint written by any number of ranks."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from ftdist.dist.world import World
from ftdist.errors import StorageError
from ftdist.zero.engine import Zero3Engine
from ftdist.zero.resharding import pieces, shard_range
from ftdist.zero.save import KINDS, Kind, parameter_shapes, shard_name


def read_shards(
    engine: Zero3Engine,
    folder: Path,
    *,
    saved_world_size: int,
    saved_shapes: dict[str, list[int]],
    saved_frozen: list[str],
    optimizer_steps: int,
) -> None:
    """Load master weights, moments and the model's weights from a checkpoint. Collective.

    Args:
        engine: freshly built for the same model.
        folder: a committed checkpoint, already verified.
        saved_world_size: ranks that wrote the checkpoint.
        saved_shapes: of the parameters when it was written.
        saved_frozen: names of the parameters that were not trained.
        optimizer_steps: updates that AdamW had made.

    Raises:
        StorageError: the checkpoint is of another model, or of other frozen parameters.
    """
    _refuse_other_model(engine, folder, saved_shapes=saved_shapes, saved_frozen=saved_frozen)
    _create_moments(engine, optimizer_steps)
    for kind in KINDS:
        with ExitStack() as stack:
            files: dict[int, Any] = {}
            for name, parameter in engine.named_parameters():
                if name in engine.frozen and kind != "master":
                    continue
                shard = _read(
                    folder,
                    name,
                    parameter,
                    kind=kind,
                    world=engine.world,
                    saved_world_size=saved_world_size,
                    files=files,
                    stack=stack,
                )
                if name in engine.frozen:
                    parameter.ds_tensor.copy_(shard)
                else:
                    _set(parameter, shard, kind=kind)
    _refresh_weights(engine)


def _refuse_other_model(
    engine: Zero3Engine,
    folder: Path,
    *,
    saved_shapes: dict[str, list[int]],
    saved_frozen: list[str],
) -> None:
    shapes = parameter_shapes(engine)
    if shapes != saved_shapes:
        differing = sorted(
            name
            for name in shapes.keys() | saved_shapes.keys()
            if shapes.get(name) != saved_shapes.get(name)
        )
        raise StorageError(
            f"Checkpoint {folder} is of another model: {len(differing)} parameters differ (first: "
            f"{differing[0]}).",
            remedy="resume with the model folder that the run was started with.",
        )
    others = sorted(set(engine.frozen) ^ set(saved_frozen))
    if others:
        raise StorageError(
            f"Checkpoint {folder} was trained with another optim.freeze_params: {len(others)} "
            f"parameters differ (first: {others[0]}).",
            remedy="resume with the optim.freeze_params that the run was started with.",
        )


def _create_moments(engine: Zero3Engine, optimizer_steps: int) -> None:
    # AdamW creates its state at the first update; here it is needed before.
    for flat in engine.zero_optimizer.fp32_partitioned_groups_flat:
        engine.optimizer.state[flat] = {
            "step": torch.tensor(float(optimizer_steps), dtype=torch.float32, device=flat.device),
            "exp_avg": torch.zeros_like(flat),
            "exp_avg_sq": torch.zeros_like(flat),
        }


def _read(
    folder: Path,
    name: str,
    parameter: Any,
    *,
    kind: Kind,
    world: World,
    saved_world_size: int,
    files: dict[int, Any],
    stack: ExitStack,
) -> Tensor:
    start, stop = shard_range(parameter.ds_numel, rank=world.rank, world_size=world.size)
    shard = torch.zeros(parameter.ds_tensor.numel(), dtype=torch.float32)
    filled = 0
    for piece in pieces(
        start=start, stop=stop, elements=parameter.ds_numel, world_size=saved_world_size
    ):
        if piece.rank not in files:
            file = folder / shard_name(kind, rank=piece.rank, world_size=saved_world_size)
            files[piece.rank] = stack.enter_context(safe_open(file, framework="pt"))
        values = files[piece.rank].get_slice(name)[piece.start : piece.stop]
        shard[filled : filled + len(values)] = values
        filled += len(values)
    return shard


def _set(parameter: Any, shard: Tensor, *, kind: Kind) -> None:
    from deepspeed.utils import safe_set_local_fp32_param, safe_set_local_optimizer_state

    if kind == "master":
        safe_set_local_fp32_param(parameter, shard)
    else:
        safe_set_local_optimizer_state(parameter, shard, kind)


def _refresh_weights(engine: Zero3Engine) -> None:
    # As at the end of DeepSpeed's own step: the model's shards are copied from the master
    # weights, and parameters that stay whole between steps are gathered again.
    optimizer = engine.zero_optimizer
    optimizer._partition_all_parameters()
    for group in range(len(optimizer.fp32_partitioned_groups_flat)):
        optimizer._reassign_or_swap_out_partitioned_parameters(group)
    if optimizer.persistent_parameters:
        optimizer.persistent_parameters[0].all_gather(optimizer.persistent_parameters)
