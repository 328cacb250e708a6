"""MLPs computed a tile of tokens at a time, by DeepSpeed's TiledMLP.

An MLP's activations are three to four times as wide as the hidden states. In tiles, only one tile's
exist at once; the backward pass computes each again.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ftdist.errors import ModelError


def tile_mlps(model: nn.Module, *, tiles: int) -> None:
    """Compute the MLP of every layer in so many tiles of the row's tokens.

    Raises:
        ModelError: no layer has an MLP of the usual name.
    """
    mlps = [module for name, module in model.named_modules() if name.endswith(".mlp")]
    if not mlps:
        raise ModelError(
            "model.mlp_tiles does not fit this model: none of its layers has a module `mlp`.",
            remedy="set model.mlp_tiles=1.",
        )
    for mlp in mlps:
        mlp.forward = _tiled(mlp, tiles=tiles)


def _tiled(mlp: nn.Module, *, tiles: int) -> Callable[[Tensor], Tensor]:
    forward, parameters = mlp.forward, list(mlp.parameters())

    def of_tile(_: Any, hidden: Tensor) -> Tensor:
        tile: Tensor = forward(hidden)
        return tile

    def tiled(hidden: Tensor) -> Tensor:
        from deepspeed.runtime.sequence_parallel.ulysses_sp import TiledMLP

        tokens = hidden.shape[-2]
        # All ranks compute equally many tiles, however short their rows: ZeRO-3 gathers in each.
        rows = functional.pad(hidden, (0, 0, 0, -tokens % tiles))
        if torch.is_grad_enabled() and not rows.requires_grad:
            # Below only frozen parameters: the function must still have a gradient.
            rows = rows.detach().requires_grad_()
        outputs: Tensor = TiledMLP.apply(of_tile, mlp, rows, tiles, parameters)
        return outputs[..., :tokens, :]

    return tiled
