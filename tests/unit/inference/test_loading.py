"""The dtype in which models answer."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from ftdist.config.compose import compose
from ftdist.errors import ModelError
from ftdist.evaluation.runner import with_dtype
from ftdist.inference import loading
from ftdist.inference.loading import inference_dtype

Dtype = Literal["bfloat16", "float32"]


def folder_of(tmp_path: Path, dtype: str | None) -> Path:
    named = {} if dtype is None else {"dtype": dtype}
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama", **named}))
    return tmp_path


@pytest.mark.parametrize(
    ("device", "weights", "is_fast", "expected"),
    [
        ("cuda", "float32", False, "bfloat16"),
        ("cpu", "bfloat16", True, "bfloat16"),
        ("cpu", "bfloat16", False, "float32"),
        ("cpu", "float32", True, "float32"),
        ("cpu", "float16", True, "float32"),
        ("cpu", None, True, "float32"),
    ],
)
def test_bfloat16_is_for_gpus_and_for_weights_of_it_on_cpus_that_are_fast_with_it(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    device: Literal["cpu", "cuda"],
    weights: str | None,
    is_fast: bool,
    expected: Dtype,
) -> None:
    monkeypatch.setattr(loading, "has_fast_bfloat16", lambda: is_fast)
    assert inference_dtype(folder_of(tmp_path, weights), device=device) == expected


def test_both_models_answer_in_the_dtype_of_the_tuned_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "has_fast_bfloat16", lambda: True)
    tuned, auto = (
        folder_of(tmp_path, "bfloat16"),
        compose(["run.name=r", "model.path=m", "library.path=l"]).eval,
    )
    assert with_dtype(auto, tuned=tuned, device="cpu").dtype == "bfloat16"
    asked = replace(auto, dtype="float32")
    assert with_dtype(asked, tuned=tuned, device="cpu").dtype == "float32"


def test_a_folder_without_a_config_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=str(tmp_path)):
        inference_dtype(tmp_path, device="cpu")
