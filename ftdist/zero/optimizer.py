"""Freezes parameters, and builds AdamW over the trained ones."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from ftdist.config.schema import OptimConfig
from ftdist.config.schema.types import resolved
from ftdist.nn.optim import RATE_SCALE, layer_scales, parameter_groups
from ftdist.plan.param_names import frozen_names, layers_by_name


def freeze(model: nn.Module, patterns: Sequence[str]) -> dict[str, list[str]]:
    """Freeze the parameters that `optim.freeze_params` names, before `deepspeed.initialize`.

    DeepSpeed 0.19.8 leaves a parameter without gradient out of its optimizer's groups and
    reduction hooks (`is_optimized_parameter`): only its shard in the model's dtype remains.

    Returns:
        the frozen parameters, each with all its names.

    Raises:
        ConfigError: a pattern matches nothing, or nothing would be trained.
    """
    by_parameter: dict[int, list[str]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        by_parameter.setdefault(id(parameter), []).append(name)
    names = {all_of[0]: all_of for all_of in by_parameter.values()}
    frozen = frozen_names(patterns, names)
    for name, parameter in model.named_parameters():
        if name in frozen:
            parameter.requires_grad_(False)
    return {name: names[name] for name in names if name in frozen}


def adamw(model: nn.Module, optim: OptimConfig) -> torch.optim.AdamW:
    """AdamW over the trained parameters.

    Weight decay applies to matrices, not to norms and biases. With `optim.layerwise_lr_decay` below
    1, each layer has its own groups and learning rate.

    Raises:
        ConfigError: `optim.layerwise_lr_decay` finds no layers.
    """
    named: dict[str, Any] = dict(model.named_parameters())
    trained = {name: p for name, p in named.items() if p.requires_grad}
    scales = dict.fromkeys(named, 1.0)
    if optim.layerwise_lr_decay < 1:
        scales = layer_scales(
            named,
            layers=layers_by_name(named),
            embeddings=_embeddings(model),
            layerwise_lr_decay=optim.layerwise_lr_decay,
        )
    groups = parameter_groups(
        {name: parameter.ds_shape for name, parameter in trained.items()},
        scales=scales,
        weight_decay=optim.weight_decay,
    )
    return torch.optim.AdamW(
        [
            {
                "params": [trained[name] for name in group.names],
                "weight_decay": group.weight_decay,
                RATE_SCALE: group.rate_scale,
            }
            for group in groups
        ],
        lr=resolved(optim.peak_lr),
        betas=(optim.beta1, optim.beta2),
        eps=optim.eps,
        # DeepSpeed's own AdamW is compiled at run time; torch's is not.
        fused=True,
    )


def _embeddings(model: nn.Module) -> frozenset[str]:
    """Names of the parameters of token and position embeddings, tied heads included."""
    embedded = {
        id(parameter)
        for module in model.modules()
        if isinstance(module, nn.Embedding)
        for parameter in module.parameters(recurse=False)
    }
    return frozenset(name for name, p in model.named_parameters() if id(p) in embedded)
