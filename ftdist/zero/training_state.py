"""Training state in shards: written by each rank, and read by any number of ranks."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import fsum, sqrt
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ftdist.dist.collectives import gather_over_ranks
from ftdist.errors import StorageError
from ftdist.zero.engine import Zero3Engine
from ftdist.zero.resharding import shard_range
from ftdist.zero.shard_files import KINDS, Kind, SavedShards, Shard, shard_key


def shard_metadata(engine: Zero3Engine) -> dict[str, Any]:
    """What `read_shards` has to know of the shards that a rank writes."""
    states = list(engine.optimizer.state.values())
    return {
        "world_size": engine.world.size,
        # Updates that AdamW has made; skipped steps do not count.
        "optimizer_steps": int(states[0]["step"].item()) if states else 0,
        "shapes": {name: list(p.ds_shape) for name, p in engine.named_parameters()},
        "frozen": list(engine.frozen),
    }


def local_shards(engine: Zero3Engine) -> list[Shard]:
    """This rank's shards, in the order of its file; views, no copies, and no communication.

    Without the padding, which is uninitialised: equal states make equal files.
    """
    trained = [(name, p) for name, p in engine.named_parameters() if name not in engine.frozen]
    frozen = [(name, p) for name, p in engine.named_parameters() if name in engine.frozen]
    # Wider elements first: float32, then the model's dtype.
    return [
        Shard(key=shard_key(kind, name), values=_real(engine, p, _state(engine, p, kind=kind)))
        for kind in KINDS
        for name, p in trained
    ] + [
        Shard(key=shard_key("master", name), values=_real(engine, p, p.ds_tensor))
        for name, p in frozen
    ]


def parameter_norm(engine: Zero3Engine) -> float:
    """L2 norm of all parameters, in float32; inf or NaN if one of them is. Collective.

    The same on all ranks.
    """
    norms = [
        torch.linalg.vector_norm(
            _real(engine, p, p.ds_tensor if name in engine.frozen else _state(engine, p)),
            dtype=torch.float32,
        ).to(engine.device)
        for name, p in engine.named_parameters()
    ]
    squares = torch.stack(norms).double().square().sum()
    return sqrt(fsum(of_rank[0] for of_rank in gather_over_ranks(squares.view(1))))


def differs_from_master(engine: Zero3Engine, parameter: Any) -> bool:
    """Whether this rank's shard of a parameter is not what it makes of its master weights."""
    shard = _real(engine, parameter, parameter.ds_tensor)
    master = _real(engine, parameter, _state(engine, parameter))
    rounded = master.to(shard.device, shard.dtype)
    # NaN is no sign of faulty hardware: `ParameterCheck` finds it, and says so.
    return not bool(((shard == rounded) | (shard.isnan() & rounded.isnan())).all())


def host_chunks(shards: Sequence[Shard]) -> Iterator[memoryview]:
    """The bytes of the shards one after another; at most one shard at a time is in host memory."""
    for shard in shards:
        yield shard.values.cpu().view(torch.uint8).numpy().data


def _real(engine: Zero3Engine, parameter: Any, shard: Tensor) -> Tensor:
    start, stop = _range(engine, parameter)
    return shard.detach()[: stop - start]


def _state(engine: Zero3Engine, parameter: Any, *, kind: Kind = "master") -> Tensor:
    # Not by `safe_get_local_*`: they bring an offloaded state to the GPU first.
    optimizer = engine.zero_optimizer
    key = None if kind == "master" or not engine.optimizer.state else kind
    state: Tensor
    state, _ = optimizer._get_fp32_opt_state_partition(
        parameter, release_swap_buffers=True, optim_state_key=key
    )
    return state if key == kind or kind == "master" else torch.zeros_like(state)


def read_shards(
    engine: Zero3Engine,
    folder: Path,
    saved: Mapping[str, Any],
    *,
    on_progress: Callable[[], None] = lambda: None,
) -> None:
    """Load master weights, moments and the model's weights from a checkpoint. Collective.

    Args:
        engine: freshly built for the same model.
        folder: a committed checkpoint, already verified.
        saved: the `shard_metadata` of the engine that wrote it.
        on_progress: called after each parameter.

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
            on_progress()
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
    optimizer.invalidate_secondary_tensor()  # hpZ's copy is of the weights before
    for group in range(len(optimizer.fp32_partitioned_groups_flat)):
        optimizer._reassign_or_swap_out_partitioned_parameters(group)
    if optimizer.persistent_parameters:
        optimizer.persistent_parameters[0].all_gather(optimizer.persistent_parameters)
