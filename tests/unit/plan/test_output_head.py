"""Heads that are stored twice, differ or are missing, found in the files of a model folder."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from ftdist.errors import ModelError
from ftdist.plan.model_info import embedding_rows
from ftdist.plan.output_head import check_head

EMBEDDING = "model.embed_tokens.weight"
HEAD = "lm_head.weight"
NUMBERS = torch.arange(32.0).reshape(16, 2)  # exact in bfloat16 too


def folder(path: Path, tensors: dict[str, torch.Tensor], **config: Any) -> Path:
    path.mkdir()
    sizes = {"vocab_size": 16, "hidden_size": 2, "num_hidden_layers": 1}
    (path / "config.json").write_text(json.dumps({**sizes, **config}))
    save_file(tensors, path / "model.safetensors")
    return path


def problems(path: Path) -> list[str]:
    try:
        check_head(path)
    except ModelError as error:
        return [f"{error.problem} {error.remedy}"]
    return []


@pytest.mark.parametrize(
    "head", [NUMBERS.clone(), NUMBERS.bfloat16(), NUMBERS.half(), NUMBERS.double()]
)
@pytest.mark.parametrize("tied", [True, False])
def test_a_head_that_equals_the_embedding_is_fine(
    tmp_path: Path, head: torch.Tensor, tied: bool
) -> None:
    tensors = {EMBEDDING: NUMBERS, HEAD: head}
    assert problems(folder(tmp_path / "m", tensors, tie_word_embeddings=tied)) == []


def test_a_tied_model_with_a_head_of_its_own_is_refused(tmp_path: Path) -> None:
    head = NUMBERS.clone()
    head[15, 1] += 1
    tensors = {EMBEDDING: NUMBERS, HEAD: head}
    [problem] = problems(folder(tmp_path / "tied", tensors, tie_word_embeddings=True))
    assert "lm_head.weight in " in problem
    assert "differs from model.embed_tokens.weight" in problem
    assert "set tie_word_embeddings=false in its config.json" in problem
    assert problems(folder(tmp_path / "untied", tensors, tie_word_embeddings=False)) == []
    assert problems(folder(tmp_path / "unsaid", tensors)) == []


def test_an_untied_model_without_a_head_is_refused(tmp_path: Path) -> None:
    tensors = {EMBEDDING: NUMBERS, "model.norm.weight": torch.ones(2)}
    [problem] = problems(folder(tmp_path / "untied", tensors, tie_word_embeddings=False))
    assert "hold no output head" in problem
    assert problems(folder(tmp_path / "tied", tensors, tie_word_embeddings=True)) == []
    other = tensors | {"model.output.weight": NUMBERS.clone()}  # a head of another name
    assert problems(folder(tmp_path / "other", other, tie_word_embeddings=False)) == []


def test_an_embedding_of_another_size_than_the_vocabulary_is_refused(tmp_path: Path) -> None:
    path = folder(tmp_path / "m", {EMBEDDING: NUMBERS}, vocab_size=20, tie_word_embeddings=True)
    [problem] = problems(path)
    assert "has 16 rows, but its config.json says vocab_size=20" in problem
    assert embedding_rows(path) == 16
    assert embedding_rows(tmp_path) is None
