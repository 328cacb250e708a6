"""Tiny models of real families, random but reproducible, and the config and plan to train them."""

from pathlib import Path
from typing import Any

from ftdist.config.compose import compose
from ftdist.config.schema import RunConfig
from ftdist.plan.dataset_info import PackedDatasetInfo, PackedSourceInfo
from ftdist.plan.model_info import read_model_info
from ftdist.plan.plan import Plan
from ftdist.plan.planner import make_plan
from tests.support.fixed_engine import fixed_engine

VOCAB = 503
SIZES: dict[str, Any] = {
    "vocab_size": VOCAB,
    "hidden_size": 32,
    "intermediate_size": 88,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "pad_token_id": 0,
}
FAMILIES: dict[str, dict[str, Any]] = {
    "llama": {},
    "llama_tied": {"tie_word_embeddings": True},
    "mistral": {"sliding_window": None},
    "qwen3": {"head_dim": 8, "tie_word_embeddings": False},
    "qwen3_tied": {"head_dim": 8, "tie_word_embeddings": True},
    "gemma2": {"head_dim": 8, "query_pre_attn_scalar": 8, "final_logit_softcapping": 3.0},
    "granite": {"logits_scaling": 4.0, "tie_word_embeddings": True},
    "phi": {"tie_word_embeddings": False},
}


def save_tiny_model(folder: Path, family: str, **changes: Any) -> Path:
    """Write a tiny model of `family` (a key of `FAMILIES`), logits of ordinary size.

    Args:
        folder: to be made.
        family: model type, with `_tied` where input and output embeddings are one.
        **changes: of the architecture's config.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    settings = {**SIZES, **FAMILIES[family], **changes}
    config = AutoConfig.for_model(family.removesuffix("_tied"), **settings)
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    with torch.no_grad():
        # A random head's logits are so small that soft-capping them would hardly show.
        model.get_output_embeddings().weight.mul_(20.0)
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(std=0.5)
    model.save_pretrained(folder)
    return folder


def tiny_config(model: Path, *overrides: str) -> RunConfig:
    """A config for a tiny model on CPUs."""
    return compose(
        [
            f"model.path={model}",
            "library.path=unused",
            "run.name=tiny",
            "train.steps=100",
            "batch.sequence_length=64",
            "batch.tokens=512",
            "batch.allow_uneven=true",
            "optim.peak_lr=1e-2",
            "optim.warmup_ratio=0",
            "optim.weight_decay=0.1",
            "engine.param_persistence_threshold=100",
            "cluster.device=cpu",
            "tracking=off",
            "tracking.curves_every_s=0",
            *fixed_engine(*overrides),
        ]
    )


def tiny_plan(config: RunConfig, *, world_size: int) -> Plan:
    """A plan for `config` on `world_size` ranks; its library is never opened."""
    source = PackedSourceInfo(
        name="library",
        weight=1.0,
        samples=8,
        sequences=8,
        tokens=400,
        loss_tokens=200,
        held_out_samples=0,
        held_out_sequences=0,
    )
    library = PackedDatasetInfo(path="unused", key="key", sources=(source,))
    changed = compose_world(config, world_size)
    return make_plan(changed, model=read_model_info(Path(config.model.path)), library=library)


def compose_world(config: RunConfig, world_size: int) -> RunConfig:
    """The same config for another number of ranks."""
    from dataclasses import replace

    return replace(config, cluster=replace(config.cluster, tasks_per_node=world_size))


def spread_weights(folder: Path) -> None:
    """Make a model that answers otherwise to each question, where small random weights do not."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" not in name:
                parameter.mul_(6.0)
    model.save_pretrained(folder)


def spread_tiny(factory: Any) -> Path:
    """The tiny model, with weights that answer otherwise to each question, and its library.

    Args:
        factory: pytest's `tmp_path_factory`.
    """
    from ftdist.testing import tiny

    folder = tiny.make(factory.mktemp("tiny") / "made")
    spread_weights(folder / "model")
    return Path(folder)
