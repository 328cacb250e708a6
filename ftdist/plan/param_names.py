"""Parameters by name: which are frozen, how far each is merged, the layer of each. No torch."""

import difflib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

from ftdist.config.schema import RunConfig
from ftdist.errors import ConfigError
from ftdist.plan.model_info import ModelInfo

_BACKBONES = ("model.", "transformer.", "gpt_neox.", "backbone.")
"""First parts of a causal LM's names, which the files of a bare backbone lack."""

_TIED_HEAD = "lm_head.weight"
"""Name of the output embedding, under which no file holds it where it is the input embedding."""

_SHOWN = 4
"""Names that an error lists."""


def frozen_names(patterns: Sequence[str], names: Mapping[str, Sequence[str]]) -> frozenset[str]:
    """The parameters that `optim.freeze_params` freezes.

    Args:
        patterns: shell-style, as `fnmatch` reads them, matched against whole names.
        names: each parameter with all the names it goes by; a tied embedding has several, and is
            frozen by any of them.

    Raises:
        ConfigError: a pattern matches nothing, or nothing would be trained.
    """
    idle = [p for p in patterns if not any(_matches([p], all_of) for all_of in names.values())]
    if idle:
        verb = "matches" if len(idle) == 1 else "match"
        raise ConfigError(
            f"optim.freeze_params: {', '.join(idle)} {verb} none of the model's {len(names)} "
            "parameters.",
            remedy=f"write patterns over names such as {', '.join(_like(idle[0], names))}.",
        )
    frozen = frozenset(name for name, all_of in names.items() if _matches(patterns, all_of))
    if names and len(frozen) == len(names):
        raise ConfigError(
            f"optim.freeze_params freezes all {len(names)} parameters: nothing would be trained.",
            remedy=f"leave some out of its patterns, such as {', '.join(_like('', names))}.",
        )
    return frozen


def merge_factors(entries: Sequence[str], model: ModelInfo) -> dict[str, float]:
    """The factor of alpha of each tensor in a model's files that `merge.layers` names.

    Args:
        entries: PATTERN=FACTOR; the last one that matches counts.
        model: whose tensors are merged.

    Raises:
        ConfigError: an entry has another form, or its pattern matches nothing.
    """
    factors: dict[str, float] = {}
    names = _names(model)
    for entry in entries:
        pattern, _, text = entry.rpartition("=")
        if not pattern or not re.fullmatch(r"0|1|1\.0*|0?\.\d+", text):
            raise ConfigError(
                f"merge.layers: {entry!r} is not of the form PATTERN=FACTOR, with a factor from 0 "
                "to 1.",
                remedy="write such as 'merge.layers=[\"model.layers.[0-9].*=0.5\"]'.",
            )
        matched = [name for name, all_of in names.items() if _matches([pattern], all_of)]
        if not matched:
            raise ConfigError(
                f"merge.layers: {pattern} matches none of the model's {len(names)} parameters.",
                remedy=f"write patterns over names such as {', '.join(_like(pattern, names))}.",
            )
        factors |= dict.fromkeys(matched, float(text))
    return factors


def layers_by_name(names: Iterable[str]) -> dict[str, int]:
    """The layer of each parameter in a layer, counted from 0 at the input.

    A layer is the first number in a name: `model.layers.3.mlp.up_proj.weight` is in layer 3.

    Raises:
        ConfigError: there is no single list of layers, numbered from 0.
    """
    placed: dict[str, int] = {}
    lists: set[str] = set()
    for name in names:
        parts = name.split(".")
        first = next((index for index, part in enumerate(parts) if part.isdecimal()), None)
        if first is not None:
            placed[name] = int(parts[first])
            lists.add(".".join(parts[:first]))
    if len(lists) != 1 or set(placed.values()) != set(range(max(placed.values()) + 1)):
        raise ConfigError(
            "optim.layerwise_lr_decay needs one list of layers, numbered from 0, and the names of "
            "this model's parameters show none.",
            remedy="set optim.layerwise_lr_decay=1.0.",
        )
    return placed


def check_parameters(config: RunConfig, *, model: ModelInfo) -> None:
    """Refuse what `optim` and `merge` say of parameters, as far as the model's files tell of them.

    Raises:
        ConfigError: a pattern of `optim.freeze_params` or `merge.layers` matches nothing, those of
            `optim.freeze_params` match everything, or `optim.layerwise_lr_decay` finds no layers.
    """
    names = _names(model)
    frozen_names(config.optim.freeze_params, names)
    merge_factors(config.merge.layers, model)
    if config.optim.layerwise_lr_decay < 1:
        layers_by_name(names)


def frozen_elements(patterns: Sequence[str], model: ModelInfo) -> int:
    """Elements that `patterns` freeze, by the model's files."""
    frozen = [name for name, all_of in _names(model).items() if _matches(patterns, all_of)]
    return sum(math.prod(model.shapes[name]) for name in frozen)


def _matches(patterns: Sequence[str], names: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for name in names for pattern in patterns)


def _names(model: ModelInfo) -> dict[str, list[str]]:
    """Each tensor in the files with the names it may have in the model."""
    whole = any(name.startswith(_BACKBONES) for name in model.shapes)
    more = () if whole else _BACKBONES
    names = {name: [name, *(f"{first}{name}" for first in more)] for name in model.shapes}
    words = [n for n, shape in model.shapes.items() if shape[:1] == (model.vocab_size,)]
    inputs = [name for name in words if name != _TIED_HEAD]
    if model.tied and len(inputs) == 1:
        names[inputs[0]].append(_TIED_HEAD)
        names.pop(_TIED_HEAD, None)
    return names


def _like(pattern: str, names: Mapping[str, Sequence[str]]) -> list[str]:
    """Some names: those nearest to what was typed, and the first and last."""
    known = [name for all_of in names.values() for name in all_of]
    near = difflib.get_close_matches(pattern, known, n=_SHOWN - 2, cutoff=0.5)
    return list(dict.fromkeys([*near, *known[:1], *known[-1:], *known[1:]]))[:_SHOWN]
