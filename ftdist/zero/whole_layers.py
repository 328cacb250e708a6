"""Decoder layers as units of ZeRO-3: one gather, one set of hooks and one reduction per layer.

DeepSpeed hooks every module otherwise: 7,000 calls per micro-step for 30 layers, and a GPU waits.
"""

from typing import Any

import torch
from torch import nn

from ftdist.errors import ModelError


def use_whole_layers(model: Any) -> None:
    """Make units of the decoder layers of a sharded transformers model, before DeepSpeed hooks it.

    DeepSpeed reduces the gradients of a unit once the gradient of its input is there, or at once
    where its input needs none. The first layer that is trained above frozen embeddings and layers
    therefore stays one of modules: its gradients would be reduced before they exist.

    Raises:
        ModelError: in the first forward pass, the input of a layer is not its first argument:
            DeepSpeed would not see it.
    """
    from deepspeed.utils import set_z3_leaf_modules
    from transformers.modeling_layers import GradientCheckpointingLayer

    input_has_gradient = _is_trained(model.get_input_embeddings())
    for layer in model.modules():
        if not isinstance(layer, GradientCheckpointingLayer):
            continue
        if input_has_gradient or not _is_trained(layer):
            set_z3_leaf_modules(layer, [type(layer)])
            _require_positional_input(layer)
        input_has_gradient |= _is_trained(layer)


def _is_trained(module: nn.Module) -> bool:
    return any(parameter.requires_grad for parameter in module.parameters())


def _require_positional_input(layer: nn.Module) -> None:
    def check(module: nn.Module, arguments: tuple[Any, ...]) -> None:
        handle.remove()
        if not (arguments and isinstance(arguments[0], torch.Tensor)):
            raise ModelError(
                f"{type(module).__name__} gets its input by name: its gradients would be lost.",
                remedy="use a model whose layers get their hidden states as the first argument.",
            )

    handle = layer.register_forward_pre_hook(check)
