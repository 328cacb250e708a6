"""Layers that compute their activations again in the backward pass."""

from typing import Any


def checkpoint_layers(model: Any, choice: str) -> None:
    """Let layers compute their activations again in backward: none, every second one, or all."""
    from transformers.modeling_layers import GradientCheckpointingLayer

    if choice == "none":
        return
    # Not re-entrant: parameters may then be the only inputs that need gradients.
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    if choice == "selective":
        layers = [each for each in model.modules() if isinstance(each, GradientCheckpointingLayer)]
        for layer in layers[1::2]:
            layer.gradient_checkpointing = False
