"""Which merged models of a run to evaluate, and how a merged model was made, in words. No torch."""

from collections.abc import Mapping
from itertools import product
from typing import Any

from ftdist.checkpoint.merge_setting import MergeSetting
from ftdist.config.schema import MergeConfig
from ftdist.errors import ConfigError


def merge_settings(config: MergeConfig) -> list[MergeSetting]:
    """Each alpha with each share that is left out; alpha 0, the base, once.

    Raises:
        ConfigError: there is no alpha above 0, or nothing of an update would be left.
    """
    if not any(alpha > 0 for alpha in config.alphas):
        shown = ",".join(f"{alpha:g}" for alpha in config.alphas)
        raise ConfigError(
            f"merge.alphas=[{shown}] leaves no merged model to choose: alpha 0 is the base itself.",
            remedy="add one above 0, such as merge.alphas=[0,0.5,1].",
        )
    largest, smallest = max(config.trim_largest), max(config.trim_smallest)
    if largest + smallest >= 1:
        raise ConfigError(
            f"merge.trim_largest={largest:g} and merge.trim_smallest={smallest:g} leave nothing of "
            "the update.",
            remedy="choose shares whose sum is below 1.",
        )
    settings = (
        MergeSetting(alpha=alpha, trim_largest=top, trim_smallest=low)
        if alpha > 0
        else MergeSetting(alpha=0.0)
        for low, top, alpha in product(config.trim_smallest, config.trim_largest, config.alphas)
    )
    return list(dict.fromkeys(settings))


def describe_merges(record: Mapping[str, Any]) -> str:
    """How the merged models of a run were made, in sentences.

    Args:
        record: `points.json`: "candidates", "layers" and "onto".
    """
    start = record.get("onto") or "base"
    sentences = [
        f"The weights of each merged model are {start} + alpha (tuned - base)"
        + (f"; scores are compared with those of {start}." if start != "base" else ".")
    ]
    if any(MergeSetting.from_scores(point).trims for point in record["candidates"]):
        sentences.append(
            "Trimmed: that share of each tensor's update (tuned - base), by magnitude, was left "
            "out."
        )
    if layers := record.get("layers"):
        sentences.append(f"Alpha was multiplied by a factor in {_layers(layers)}.")
    return " ".join(sentences)


def describe_model(setting: MergeSetting, record: Mapping[str, Any]) -> str:
    """How one merged model was made, as a sentence for its card."""
    start = record.get("onto") or "base"
    parts = [f"These weights are {start} + {setting.alpha:g} (tuned - base)"]
    if setting.trims:
        parts.append(f"without the {setting.trims} of each tensor's update by magnitude")
    if layers := record.get("layers"):
        parts.append(f"with {setting.alpha:g} multiplied by a factor in {_layers(layers)}")
    return ", ".join(parts) + ", merged by `ftdist merge`."


def _layers(entries: list[str]) -> str:
    parts = (entry.rpartition("=") for entry in entries)
    return ", ".join(f"{pattern} ({factor})" for pattern, _, factor in parts)
