"""Facts of a model from its config.json and the headers of its files."""

import json
import struct
from pathlib import Path

import pytest

from ftdist.errors import ModelError
from ftdist.plan.layer_shape import LayerShape, read_layer_shape
from ftdist.plan.model_info import ModelInfo, read_model_info


def _write_safetensors(file: Path, shapes: dict[str, list[int]], *, missing_bytes: int = 0) -> None:
    header, end = {}, 0
    for name, shape in shapes.items():
        start, size = end, 2
        for dimension in shape:
            size *= dimension
        end = start + size
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [start, end]}
    text = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    file.write_bytes(struct.pack("<Q", len(text)) + text + bytes(end - missing_bytes))


CONFIG = {
    "model_type": "llama",
    "hidden_size": 4,
    "num_hidden_layers": 2,
    "vocab_size": 10,
    "max_position_embeddings": 64,
}


def _model(folder: Path, config: dict[str, object] = CONFIG) -> Path:
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def test_model_facts_come_from_the_headers_of_all_files(tmp_path: Path) -> None:
    _write_safetensors(tmp_path / "a.safetensors", {"embed": [10, 4], "norm": [4]})
    _write_safetensors(tmp_path / "b.safetensors", {"up": [3, 4], "lm_head.weight": [10, 4]})
    index = {"weight_map": {"embed": "a.safetensors", "up": "b.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    _write_safetensors(tmp_path / "consolidated.safetensors", {"again": [1000]})
    assert read_model_info(_model(tmp_path)) == ModelInfo(
        parameters=40 + 4 + 12 + 40,
        largest_parameter=40,
        hidden_size=4,
        layers=2,
        vocab_size=10,
        max_position=64,
        model_type="llama",
        tied=False,
        shapes={"embed": (10, 4), "norm": (4,), "up": (3, 4), "lm_head.weight": (10, 4)},
        # config.json says nothing of MLP and heads: four times the width, and one head
        layer=LayerShape(mlp_width=16, gated=True, heads=1, kv_heads=1, head_width=4),
    )


def test_model_facts_read_other_families_names(tmp_path: Path) -> None:
    _write_safetensors(tmp_path / "model.safetensors", {"wte": [10, 4]})
    gpt2 = {"model_type": "gpt2", "n_embd": 4, "n_layer": 3, "vocab_size": 10, "n_positions": 32}
    facts = read_model_info(_model(tmp_path, gpt2))
    assert (facts.hidden_size, facts.layers, facts.max_position, facts.tied) == (4, 3, 32, True)
    nested = {"model_type": "gemma3", "text_config": CONFIG, "tie_word_embeddings": True}
    assert read_model_info(_model(tmp_path, nested)).layers == 2


def test_an_unreadable_model_is_reported_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no model folder"):
        read_model_info(tmp_path / "absent")
    with pytest.raises(ModelError, match=r"no config\.json"):
        read_model_info(tmp_path)
    with pytest.raises(ModelError, match="has no weights"):
        read_model_info(_model(tmp_path))
    (tmp_path / "pytorch_model.bin").write_bytes(b"x")
    with pytest.raises(ModelError, match=r"pytorch_model\.bin, which hold pickled code"):
        read_model_info(tmp_path)
    weights = tmp_path / "model.safetensors"
    for damaged in (b"", b"\x01", struct.pack("<Q", 99) + b"{}", struct.pack("<Q", 2) + b"[]"):
        weights.write_bytes(damaged)
        with pytest.raises(ModelError, match="not a whole safetensors file"):
            read_model_info(tmp_path)
    _write_safetensors(weights, {"embed": [10, 4]}, missing_bytes=1)
    with pytest.raises(ModelError, match="bytes long and should be"):
        read_model_info(tmp_path)
    index = {"weight_map": {"embed": "x.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ModelError, match=r"lacks 1 of 1 weight files: x\.safetensors"):
        read_model_info(tmp_path)


def test_heads_are_read_from_the_config_where_it_has_them(tmp_path: Path) -> None:
    _write_safetensors(tmp_path / "model.safetensors", {"w": [2]})
    heads = {"num_attention_heads": 32, "num_key_value_heads": 8}
    info = read_model_info(_model(tmp_path, {**CONFIG, **heads}))
    assert (info.attention_heads, info.key_value_heads) == (32, 8)
    info = read_model_info(_model(tmp_path, {**CONFIG, "num_attention_heads": 32}))
    assert info.key_value_heads == 32


def test_layers_follow_from_config_json() -> None:
    llama = {
        "model_type": "llama",
        "intermediate_size": 14336,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
    }
    assert read_layer_shape(llama, hidden_size=4096) == LayerShape(
        mlp_width=14336, gated=True, heads=32, kv_heads=8, head_width=128
    )
    # Gemma 3's files leave defaults out: 8 heads of 256, 4 of keys and values.
    gemma = read_layer_shape({"model_type": "gemma3_text"}, hidden_size=2560)
    assert (gemma.heads, gemma.kv_heads, gemma.head_width) == (8, 4, 256)
    assert (gemma.norm, gemma.post_norms, gemma.qk_norms) == ("gemma", 2, True)
    gpt2 = read_layer_shape({"model_type": "gpt2", "n_head": 12, "n_inner": None}, hidden_size=768)
    assert (gpt2.mlp_width, gpt2.gated, gpt2.norm, gpt2.is_known) == (3072, False, "layer", False)
