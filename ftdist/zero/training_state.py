"""Training state in shards: written by each rank, and read by any number of ranks."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ftdist.errors import StorageError
from ftdist.zero.engine import Zero3Engine
from ftdist.zero.resharding import shard_range
from ftdist.zero.shard_files import KINDS, Kind, SavedShards, shard_name, write_tensors


def shard_metadata(engine: Zero3Engine) -> dict[str, Any]:
    """What `read_shards` has to know of the shards that `write_shards` writes."""
    states = list(engine.optimizer.state.values())
    return {
        "world_size": engine.world.size,
        # Updates that AdamW has made; skipped steps do not count.
        "optimizer_steps": int(states[0]["step"].item()) if states else 0,
        "shapes": {name: list(p.ds_shape) for name, p in engine.named_parameters()},
        "frozen": list(engine.frozen),
    }


def write_shards(engine: Zero3Engine, folder: Path) -> list[Path]:
    """Write this rank's shards into `folder`; no communication.

    Returns:
        the files written.

    Raises:
        StorageError: it could not be written.
    """
    files = []
    for kind in KINDS:
        file = folder / shard_name(kind, rank=engine.world.rank, world_size=engine.world.size)
        write_tensors(dict(_shards(engine, kind)), file)
        files.append(file)
    return files


def _shards(engine: Zero3Engine, kind: Kind) -> Iterator[tuple[str, Tensor]]:
    from deepspeed.utils import safe_get_local_fp32_param, safe_get_local_optimizer_state

    has_moments = bool(engine.optimizer.state)
    for name, parameter in engine.named_parameters():
        if name in engine.frozen:
            if kind != "master":
                continue
            shard = parameter.ds_tensor
        elif kind == "master":
            shard = safe_get_local_fp32_param(parameter)
        elif has_moments:
            shard = safe_get_local_optimizer_state(parameter, kind)
        else:
            shard = torch.zeros_like(safe_get_local_fp32_param(parameter))
        start, stop = _range(engine, parameter)
        # Without the padding, which is uninitialised: equal states make equal files.
        yield name, shard[: stop - start].detach().cpu()


def read_shards(engine: Zero3Engine, folder: Path, saved: Mapping[str, Any]) -> None:
    """Load master weights, moments and the model's weights from a checkpoint. Collective.

    Args:
        engine: freshly built for the same model.
        folder: a committed checkpoint, already verified.
        saved: the `shard_metadata` of the engine that wrote it.

    Raises:
        StorageError: the checkpoint is of another model, or of other frozen parameters.
    """
    _refuse_other_model(engine, folder, saved)
    _create_moments(engine, saved["optimizer_steps"])
    for kind in KINDS:
        shards = SavedShards(folder, kind, world_size=saved["world_size"])
        for name, parameter in engine.named_parameters():
            if name in engine.frozen and kind != "master":
                continue
            start, stop = _range(engine, parameter)
            shard = torch.zeros(parameter.ds_tensor.numel(), dtype=torch.float32)
            shard[: stop - start] = shards.read(
                name, start=start, stop=stop, elements=parameter.ds_numel, dtype=shard.dtype
            )
            if name in engine.frozen:
                parameter.ds_tensor.copy_(shard)
            else:
                _set(parameter, shard, kind=kind)
    _refresh_weights(engine)


def _range(engine: Zero3Engine, parameter: Any) -> tuple[int, int]:
    world = engine.world
    return shard_range(parameter.ds_numel, rank=world.rank, world_size=world.size)


def _refuse_other_model(engine: Zero3Engine, folder: Path, saved: Mapping[str, Any]) -> None:
    shapes, saved_shapes = shard_metadata(engine)["shapes"], saved["shapes"]
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
    others = sorted(set(engine.frozen) ^ set(saved["frozen"]))
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
