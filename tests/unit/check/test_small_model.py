"""Packing and head, proved on small random models of many architectures."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from ftdist.check import small_model
from ftdist.check.findings import Finding
from ftdist.check.small_model import model_findings, shrink
from ftdist.nn.model import PackedCausalLM


def saved(folder: Path, family: str, **settings: Any) -> Path:
    """The default config of a family, a model of billions of parameters."""
    from transformers import AutoConfig

    AutoConfig.for_model(family, **settings).save_pretrained(folder)
    return folder


def found(folder: Path, *, attention: str = "auto") -> dict[str, Finding]:
    findings = model_findings(folder, attention=attention, head="auto")
    return {finding.check: finding for finding in findings}


@pytest.mark.parametrize(
    ("family", "settings"),
    [
        ("llama", {}),
        ("qwen3", {"tie_word_embeddings": True}),
        ("phi", {}),
        ("gemma3_text", {}),
        ("smollm3", {}),
        ("gpt2", {}),
    ],
)
def test_packing_is_proved_for_the_kernel_of_cpus(
    tmp_path: Path, family: str, settings: dict[str, Any]
) -> None:
    findings = found(saved(tmp_path, family, **settings))
    assert findings["packed samples"].status == "ok"
    # GPT-2 has dropout in its attention, which varlen has not.
    varlen = "" if family == "gpt2" else "; varlen was not checked: it runs on GPUs only"
    assert f"(attention: by_sample{varlen})" in findings["packed samples"].message
    assert findings["output head"].message == "The chunked head gives the model's own loss."


@pytest.mark.parametrize(
    ("family", "settings"), [("gemma2", {}), ("granite", {"logits_scaling": 1.01})]
)
def test_capped_and_scaled_logits_keep_the_models_own_head(
    tmp_path: Path, family: str, settings: dict[str, Any]
) -> None:
    findings = found(saved(tmp_path, family, **settings))
    assert findings["packed samples"].status == "ok"
    assert "Training uses the model's own head" in findings["output head"].message


def test_a_model_that_ignores_position_ids_fails(tmp_path: Path) -> None:
    # Bloom's biases of attention depend on the distance alone, across samples too.
    finding = found(saved(tmp_path, "bloom"), attention="eager")["packed samples"]
    assert finding.status == "failed"
    assert "attend to each other" in finding.message


def test_positions_that_run_on_over_a_border_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logits = PackedCausalLM.logits

    def leaking(self: Any, input_ids: Any, position_ids: Any, positions: Any, **_: Any) -> Any:
        tokens = position_ids.shape[1]
        borders = torch.tensor([0, tokens], dtype=torch.int32)
        run_on = torch.arange(tokens)[None]
        return logits(self, input_ids, run_on, positions, cu_seqlens=borders, max_seqlen=tokens)

    monkeypatch.setattr(PackedCausalLM, "logits", leaking)
    assert found(saved(tmp_path, "llama"))["packed samples"].status == "failed"


def test_a_model_that_does_not_pass_the_borders_on_fails_and_names_a_kernel_without_them(
    tmp_path: Path,
) -> None:
    # StableLM: by_sample and varlen need them.
    finding = found(saved(tmp_path, "stablelm"))["packed samples"]
    assert finding.status == "failed"
    assert "does not pass the borders of samples" in finding.message
    assert finding.remedy == "set model.attention=sdpa, or eager."
    sdpa = found(saved(tmp_path / "again", "stablelm"), attention="sdpa")["packed samples"]
    assert sdpa.status == "ok"


def test_models_that_stay_too_large_are_not_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(small_model, "_MAX_PARAMETERS", 1000)
    [finding] = model_findings(saved(tmp_path, "llama"), attention="auto", head="auto")
    assert finding.status == "warning"
    assert "it would still have 65,696 parameters" in finding.message


def test_flash_attention_is_not_checked_without_a_gpu(tmp_path: Path) -> None:
    finding = found(saved(tmp_path, "llama"), attention="flash_attention_2")["packed samples"]
    assert finding.status == "warning"
    assert "it runs on GPUs only" in finding.message


def test_shrinking_keeps_kinds_of_layers_and_groups_of_heads() -> None:
    values = {
        "num_hidden_layers": 6,
        "layer_types": ["sliding"] * 2 + ["full"] + ["sliding"] * 2 + ["full"],
        "no_rope_layers": [1, 1, 1, 1, 1, 0],
        "vocab_size": 128_256,
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "pad_token_id": 128_001,
        "logit_scale": 0.25,
        "rope_parameters": {"rope_type": "longrope", "short_factor": [1.5] * 64},
    }
    # The first layer of each kind: 0 (sliding, rope), 2 (full, rope), 5 (full, no rope); and 1.
    assert shrink(values, narrow=True) == {
        "num_hidden_layers": 4,
        "layer_types": ["sliding", "sliding", "full", "full"],
        "no_rope_layers": [1, 1, 1, 0],
        "vocab_size": 512,
        "hidden_size": 64,  # 4 heads of 16
        "intermediate_size": 256,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "pad_token_id": 0,
        "logit_scale": 0.25,
        "rope_parameters": {"rope_type": "longrope", "short_factor": [1.5] * 8},
    }
    wide = shrink(values, narrow=False)
    assert wide["hidden_size"] == 4096
    assert wide["num_hidden_layers"] == 4
    assert json.loads(json.dumps(wide)) == wide
