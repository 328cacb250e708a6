"""Models of real shapes with random weights, and a library for them, made on the spot."""

import json
import random
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftdist.testing.tiny import make

SEED = 11
WORDS_PER_ANSWER = 320
QUESTIONS = 400


@dataclass(frozen=True, kw_only=True)
class Shape:
    """The shape of a Llama."""

    layers: int
    width: int
    mlp_width: int
    heads: int
    kv_heads: int
    vocabulary: int


SHAPES = {
    "tiny": Shape(layers=2, width=64, mlp_width=192, heads=4, kv_heads=2, vocabulary=1000),
    # SmolLM2-135M and SmolLM2-1.7B
    "135M": Shape(layers=30, width=576, mlp_width=1536, heads=9, kv_heads=3, vocabulary=49152),
    "1.7B": Shape(layers=24, width=2048, mlp_width=8192, heads=32, kv_heads=32, vocabulary=49152),
}


def make_inputs(folder: Path) -> Path:
    """A tokenizer, a small library with probes, and a large library of long answers; `folder`."""
    tiny = make(folder / "tiny")
    long = folder / "long"
    if not long.is_dir():
        words = sorted(set((tiny / "library" / "fernbot.jsonl").read_text().split()))
        words = [word for word in words if word.isalpha()]
        chance = random.Random(SEED)
        long.mkdir()
        rows = []
        for number in range(QUESTIONS):
            answer = " ".join(chance.choices(words, k=WORDS_PER_ANSWER))
            question = {"role": "user", "content": f"Read page {number}."}
            rows.append({"messages": [question, {"role": "assistant", "content": answer}]})
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (long / "rows.jsonl").write_text(text, encoding="utf-8")
    return folder


def make_model(folder: Path, name: str, *, inputs: Path) -> Path:
    """A Llama of one of `SHAPES` with random weights in bfloat16, and the small tokenizer."""
    model_folder = folder / f"model-{name}"
    if (model_folder / "config.json").is_file():
        return model_folder
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    shape = SHAPES[name]
    shutil.rmtree(model_folder, ignore_errors=True)
    torch.manual_seed(SEED)
    config = LlamaConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.width,
        intermediate_size=shape.mlp_width,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        max_position_embeddings=8192,
        tie_word_embeddings=True,
        **_special_tokens(inputs),
    )
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with torch.device(device):
        model: Any = LlamaForCausalLM(config)
    model.to(torch.bfloat16).cpu().save_pretrained(model_folder)
    source = inputs / "tiny" / "model"
    for file in source.iterdir():
        if file.name not in ("config.json", "model.safetensors"):
            shutil.copy2(file, model_folder / file.name)
    return model_folder


def _special_tokens(inputs: Path) -> dict[str, Any]:
    config = json.loads((inputs / "tiny" / "model" / "config.json").read_text())
    names = ("bos_token_id", "eos_token_id", "pad_token_id")
    return {name: config[name] for name in names if config.get(name) is not None}
