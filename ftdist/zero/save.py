"""Writes this rank's training state: safetensors, no pickles.

A rank writes three files, one per kind of state, so that at most a third of its state is copied
in memory at a time. Names inside are the model folder's parameter names. A frozen parameter is
only in the first file, in the model's dtype: it has neither master weight nor moments.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from ftdist.dist.world import World
from ftdist.errors import StorageError
from ftdist.zero.engine import Zero3Engine
from ftdist.zero.resharding import shard_range

Kind = Literal["master", "exp_avg", "exp_avg_sq"]

KINDS: tuple[Kind, ...] = ("master", "exp_avg", "exp_avg_sq")
"""float32 master weights (and frozen weights), and AdamW's first and second moments."""


def shard_name(kind: Kind, *, rank: int, world_size: int) -> str:
    """File name of one rank's shards of one kind."""
    return f"rank-{rank:05d}-of-{world_size:05d}.{kind}.safetensors"


def write_shards(engine: Zero3Engine, folder: Path, *, world: World) -> list[Path]:
    """Write this rank's shards into `folder`; no communication.

    Returns:
        the files written.

    Raises:
        StorageError: it could not be written.
    """
    files = []
    for kind in KINDS:
        file = folder / shard_name(kind, rank=world.rank, world_size=world.size)
        write_tensors(dict(_shards(engine, kind, world=world)), file)
        files.append(file)
    return files


def write_tensors(tensors: dict[str, Tensor], file: Path) -> None:
    """Write a safetensors file.

    Raises:
        StorageError: it could not be written.
    """
    try:
        save_file(tensors, file, metadata={"format": "pt"})
    except (SafetensorError, OSError) as error:
        raise StorageError(
            f"{file} could not be written: {error}.",
            remedy="free space on that disk, or set run.root to another one.",
        ) from error


def optimizer_steps(engine: Zero3Engine) -> int:
    """Updates that AdamW has made; skipped steps do not count."""
    for state in engine.optimizer.state.values():
        return int(state["step"].item())
    return 0


def parameter_shapes(engine: Zero3Engine) -> dict[str, list[int]]:
    """Unsharded shape of every parameter."""
    return {name: list(parameter.ds_shape) for name, parameter in engine.named_parameters()}


def _shards(engine: Zero3Engine, kind: Kind, *, world: World) -> Iterator[tuple[str, Tensor]]:
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
        start, stop = shard_range(parameter.ds_numel, rank=world.rank, world_size=world.size)
        # Without the padding, which is uninitialised: equal states make equal files.
        yield name, shard[: stop - start].detach().cpu()
