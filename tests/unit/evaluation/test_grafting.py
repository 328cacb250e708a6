"""Whether the update of a run fits another model."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from ftdist.errors import ModelError
from ftdist.evaluation.grafting import check_onto

SHAPES = {"embed_tokens.weight": [3, 2], "layers.0.mlp.weight": [2, 2], "norm.weight": [2]}
VOCAB = {"a": 0, "b": 1, "ab": 2}


def _model(
    folder: Path,
    *,
    shapes: dict[str, list[int]] = SHAPES,
    prefix: str = "model.",
    vocab: Any = VOCAB,
    merges: Any = ("a b",),
    added: tuple[tuple[str, int], ...] = (),
    **config: Any,
) -> Path:
    folder.mkdir()
    settings = {"model_type": "llama", "hidden_size": 2, "num_hidden_layers": 1, "vocab_size": 3}
    (folder / "config.json").write_text(json.dumps({**settings, **config}))
    tensors = {f"{prefix}{name}": torch.zeros(shape) for name, shape in shapes.items()}
    save_file(tensors, folder / "model.safetensors")
    tokens = [{"content": content, "id": number} for content, number in added]
    model = {"vocab": vocab, "merges": merges}
    (folder / "tokenizer.json").write_text(json.dumps({"model": model, "added_tokens": tokens}))
    return folder


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return _model(tmp_path / "base")


def test_an_update_fits_other_weights_dtypes_and_ways_to_write_them(
    base: Path, tmp_path: Path
) -> None:
    check_onto(_model(tmp_path / "backbone", prefix=""), base=base)
    # Newer versions of the tokenizer's library write merges as pairs.
    check_onto(_model(tmp_path / "pairs", merges=[["a", "b"]]), base=base)
    check_onto(_model(tmp_path / "added", vocab={"a": 0, "b": 1}, added=(("ab", 2),)), base=base)


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"model_type": "qwen3"}, "is a qwen3, and the base model a llama"),
        (
            {"shapes": {**SHAPES, "norm.weight": [3]}},
            r"its norm\.weight is \[3\], and that of the base \[2\]",
        ),
        (
            {"shapes": {name: SHAPES[name] for name in list(SHAPES)[:2]}},
            r"it does not hold norm\.weight, which is \[2\]",
        ),
        (
            {"shapes": {**SHAPES, "layers.1.mlp.weight": [2, 2]}},
            r"it holds layers\.1\.mlp\.weight, which the base does not",
        ),
        ({"vocab": {**VOCAB, "ab": 1}}, "token 'ab' is 1 there and 2 in the base"),
        ({"added": (("<end>", 3),)}, "token '<end>' is 3 there and missing in the base"),
        ({"merges": ["b a"]}, "its merges differ"),
    ],
)
def test_another_model_is_refused_with_its_first_difference(
    base: Path, tmp_path: Path, changed: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ModelError, match=problem) as caught:
        check_onto(_model(tmp_path / "other", **changed), base=base)
    assert "merge.onto" in caught.value.remedy


def test_tokenizers_in_other_files_are_compared_byte_by_byte(base: Path, tmp_path: Path) -> None:
    other = _model(tmp_path / "other")
    for folder, content in ((base, b"1"), (other, b"2")):
        (folder / "tokenizer.json").unlink()
        (folder / "tokenizer.model").write_bytes(content)
    with pytest.raises(ModelError, match=r"tokenizer\.model differs"):
        check_onto(other, base=base)
    (other / "tokenizer.model").write_bytes(b"1")
    check_onto(other, base=base)
