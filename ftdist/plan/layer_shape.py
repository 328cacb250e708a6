"""Sizes of one transformer layer, from config.json: what its backward pass needs. No torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

NormKind = Literal["rms", "gemma", "layer"]
"""rms: float32 copy of the input, normed input in the model's dtype (Llama and most others).
gemma: both in float32. layer: torch's LayerNorm, which saves its input alone."""

_POST_NORMS = {"gemma2": 2, "gemma3_text": 2, "gemma3": 2, "glm4": 2}
_QK_NORMS = ("qwen3", "gemma3", "gemma3_text", "olmo2", "olmo3", "smollm3")
_FUSED_QKV = ("phi3", "gpt2", "gpt_neox")
_LAYER_NORMS = ("gpt2", "gpt_neox", "phi", "starcoder2", "bloom", "opt", "falcon", "stablelm")
_UNGATED = ("gpt2", "gpt_neox", "phi", "starcoder2", "bloom", "opt", "falcon", "nemotron")
_KNOWN = (
    *("llama", "mistral", "ministral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3"),
    *("gemma3_text", "phi3", "granite"),
)
"""Families whose saved tensors a test counts, or that share their layer's code."""

_DEFAULT_HEADS = {"gemma2": (8, 4, 256), "gemma3": (8, 4, 256), "gemma3_text": (8, 4, 256)}
"""Heads, key-value heads and head width of families whose config.json leaves defaults out."""

_MLP = ("intermediate_size", "n_inner", "ffn_dim", "ffn_hidden_size", "d_ff")
_HEADS = ("num_attention_heads", "n_head", "num_heads", "n_heads")
_KV_HEADS = ("num_key_value_heads", "n_head_kv", "num_kv_heads", "multi_query_group_num")


@dataclass(frozen=True, kw_only=True)
class LayerShape:
    """What one layer of a model is made of."""

    mlp_width: int
    gated: bool
    """Whether the MLP multiplies two projections (SwiGLU, GeGLU)."""

    heads: int
    kv_heads: int
    head_width: int
    norm: NormKind = "rms"
    post_norms: int = 0
    """Norms whose output is added to the residual stream, beside the two before linear layers."""

    qk_norms: bool = False
    """Whether queries and keys are normed."""

    fused_qkv: bool = False
    """Whether one linear layer makes queries, keys and values: values keep all three alive."""

    caps_scores: bool = False
    """Whether attention scores are soft-capped: outside flash attention they are then stored."""

    long_activation: bool = False
    """Whether the MLP's activation is written as several operations (`gelu_new`)."""

    rotary_tables: int = 1
    """Tables of rotary cosines and sines: 2 where sliding layers have their own."""

    is_known: bool = True
    """Whether the family's layers were counted; otherwise its memory is a guess by Llama's."""

    @property
    def query_width(self) -> int:
        """Elements of all heads' queries per token."""
        return self.heads * self.head_width

    @property
    def key_width(self) -> int:
        """Elements of all heads' keys per token; of values, as many."""
        return self.kv_heads * self.head_width

    def largest_matrix(self, hidden_size: int) -> int:
        """Elements of the layer's largest weight."""
        widest = self.mlp_width * (2 if self.gated and self.fused_qkv else 1)
        return hidden_size * max(widest, self.query_width)


def read_layer_shape(config: Mapping[str, Any], *, hidden_size: int) -> LayerShape:
    """The layer of a model.

    Args:
        config: config.json of the model, its text part on top.
        hidden_size: of the model.
    """
    family = str(config.get("model_type", "unknown"))
    usual = _DEFAULT_HEADS.get(family, (max(1, hidden_size // 128), 0, 0))
    heads = _first(config, _HEADS) or usual[0]
    head_width = _first(config, ("head_dim",)) or usual[2] or max(1, hidden_size // heads)
    return LayerShape(
        mlp_width=_first(config, _MLP) or 4 * hidden_size,
        gated=family not in _UNGATED,
        heads=heads,
        kv_heads=_first(config, _KV_HEADS) or usual[1] or heads,
        head_width=head_width,
        norm=_norm(family),
        post_norms=_POST_NORMS.get(family, 0),
        qk_norms=family in _QK_NORMS,
        fused_qkv=family in _FUSED_QKV,
        caps_scores=config.get("attn_logit_softcapping") is not None,
        long_activation=config.get("activation_function", config.get("hidden_act")) == "gelu_new",
        rotary_tables=2 if family.startswith("gemma3") else 1,
        is_known=family in _KNOWN,
    )


def guessed_layer_shape(hidden_size: int) -> LayerShape:
    """Llama's proportions for a model of which only the hidden size is known."""
    heads = max(1, hidden_size // 128)
    return LayerShape(
        mlp_width=7 * hidden_size // 2,
        gated=True,
        heads=heads,
        kv_heads=max(1, heads // 4),
        head_width=max(1, hidden_size // heads),
        is_known=False,
    )


def _norm(family: str) -> NormKind:
    if family.startswith("gemma"):
        return "gemma"
    return "layer" if family in _LAYER_NORMS else "rms"


def _first(config: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    """The first of some keys that is a whole number above 0."""
    for name in names:
        value = config.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
    return None
