"""Layer inputs of activation checkpointing in host memory, from forward to backward."""

from collections.abc import Callable
from typing import Any

from torch import nn
from torch.autograd.graph import save_on_cpu

_FUNCTION = "_gradient_checkpointing_func"
"""Where transformers keeps the function that computes a layer with checkpointing."""


def offload_layer_inputs(model: nn.Module, *, device: str) -> None:
    """Keep the inputs of layers with activation checkpointing in host memory.

    A layer saves its input alone, which is the only tensor that moves: inside the layer,
    checkpointing decides what is saved.

    Args:
        model: with activation checkpointing, not re-entrant.
        device: "cpu" or "cuda"; from GPUs inputs go to pinned memory.
    """
    for module in model.modules():
        checkpoint = getattr(module, _FUNCTION, None)
        if checkpoint is not None:
            setattr(module, _FUNCTION, _offloading(checkpoint, pin_memory=device == "cuda"))


def _offloading(checkpoint: Callable[..., Any], *, pin_memory: bool) -> Callable[..., Any]:
    def run(*arguments: Any) -> Any:
        with save_on_cpu(pin_memory=pin_memory):
            return checkpoint(*arguments)

    return run
