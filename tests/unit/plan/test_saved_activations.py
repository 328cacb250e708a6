"""What the plan says of activations, against what torch saves for the backward pass."""

import json
from typing import Any

import pytest
import torch
from transformers import CONFIG_MAPPING, MODEL_FOR_CAUSAL_LM_MAPPING

from ftdist.config.compose import compose
from ftdist.nn.activation_checkpointing import checkpoint_layers
from ftdist.nn.attention_kernel import register_own_kernels
from ftdist.nn.by_sample_attention import BY_SAMPLE
from ftdist.nn.model import PackedCausalLM
from ftdist.plan.layer_shape import read_layer_shape
from ftdist.plan.memory import memory_terms
from ftdist.plan.model_info import ModelInfo

TOKENS = 256
"""Of the row: two samples."""

HIDDEN = 128
SIZES = {
    "hidden_size": HIDDEN,
    "intermediate_size": 448,  # 3.5 times, as Llama-3.1-8B
    "num_attention_heads": 4,
    "num_key_value_heads": 1,
    "vocab_size": 256,
    "pad_token_id": 0,
}
GEMMA = {"head_dim": 48, "query_pre_attn_scalar": 48, "sliding_window": 4096}
FAMILIES: dict[str, dict[str, Any]] = {
    "llama": {},
    "mistral": {},
    "qwen2": {},
    "qwen3": {"head_dim": 48},
    "gemma2": GEMMA,  # its scores are capped: eager attention
    "gemma3_text": GEMMA,
    "phi3": {"num_key_value_heads": 4},
    "granite": {},
}
GIB = 2**30


def _count(
    family: str, *, dtype: torch.dtype, kernel: str, layers: int, checkpointing: str
) -> tuple[int, ModelInfo]:
    """Bytes of the storages that a forward pass saves, parameters not counted, and the model."""
    torch.manual_seed(0)
    kind = CONFIG_MAPPING[family]
    config = kind(**{**SIZES, "num_hidden_layers": layers, **FAMILIES[family]})
    register_own_kernels()
    model = MODEL_FOR_CAUSAL_LM_MAPPING[kind]._from_config(
        config, dtype=dtype, attn_implementation=kernel
    )
    checkpoint_layers(model, checkpointing)
    parameters = {each.untyped_storage().data_ptr() for each in model.parameters()}
    saved: dict[int, torch.Tensor] = {}

    def save(tensor: torch.Tensor) -> torch.Tensor:
        place = tensor.untyped_storage().data_ptr()
        if place not in parameters:
            saved[place] = tensor
        return tensor

    positions = torch.arange(TOKENS // 2).repeat(2)[None]
    borders = torch.tensor([0, TOKENS // 2, TOKENS], dtype=torch.int32)
    lm = PackedCausalLM(model).train()
    with torch.autograd.graph.saved_tensors_hooks(save, lambda tensor: tensor):
        lm.hidden(
            torch.randint(1, 256, (1, TOKENS)),
            positions,
            torch.arange(8),
            cu_seqlens=borders,
            max_seqlen=TOKENS // 2,
        )
    info = ModelInfo(
        parameters=sum(each.numel() for each in model.parameters()),
        largest_parameter=HIDDEN * 448,
        hidden_size=HIDDEN,
        layers=layers,
        vocab_size=256,
        max_position=None,
        model_type=family,
        tied=False,
        layer=read_layer_shape(json.loads(config.to_json_string()), hidden_size=HIDDEN),
    )
    return sum(each.untyped_storage().nbytes() for each in saved.values()), info


def _planned(info: ModelInfo, *, dtype: str, kernel: str, checkpointing: str) -> float:
    config = compose(
        [
            *("run.name=r", "model.path=m", "library.path=l", "engine=zero3"),
            *("cluster.device=cpu", "batch.tokens=256", "batch.sequence_length=256"),
            *("batch.micro_batch_size=1", f"model.attention={kernel}"),
            f"model.activation_checkpointing={checkpointing}",
        ]
    )
    terms = memory_terms(
        config, model=info, dtype=dtype, steps=1, uses_reference=False, device="cpu"
    )
    return terms["activations_gib"] * GIB


@pytest.mark.filterwarnings("ignore:.gradient_checkpointing_enable:FutureWarning")
@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
@pytest.mark.parametrize("family", FAMILIES)
def test_activations_are_those_that_torch_saves(family: str, dtype: str) -> None:
    kernel = "eager" if family == "gemma2" else "by_sample"
    options: dict[str, Any] = {
        "dtype": getattr(torch, dtype),
        "kernel": BY_SAMPLE if kernel == "by_sample" else kernel,
    }
    of_two, _ = _count(family, layers=2, checkpointing="none", **options)
    whole, info = _count(family, layers=3, checkpointing="none", **options)
    layer = whole - of_two
    selective, _ = _count(family, layers=3, checkpointing="selective", **options)
    full, _ = _count(family, layers=3, checkpointing="full", **options)
    # With the third layer computed again, first of all, when the backward pass begins.
    counted = {"none": whole, "selective": selective + layer, "full": full + layer}
    planned = {
        choice: _planned(info, dtype=dtype, kernel=kernel, checkpointing=choice)
        for choice in counted
    }
    assert planned == {c: pytest.approx(size, rel=0.05) for c, size in counted.items()}


@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
@pytest.mark.parametrize("kernel", ["sdpa", "eager"])
def test_masked_kernels_save_a_mask_or_all_scores(kernel: str, dtype: str) -> None:
    whole, info = _count(
        "llama", dtype=getattr(torch, dtype), kernel=kernel, layers=2, checkpointing="none"
    )
    planned = _planned(info, dtype=dtype, kernel=kernel, checkpointing="none")
    assert planned == pytest.approx(whole, rel=0.05)
