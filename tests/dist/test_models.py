"""Families of models: the right head for each, packing that does not leak, loading that fits."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from ftdist.data.collate import build_batch
from ftdist.dist.world import World
from ftdist.errors import ModelError
from ftdist.io.host_memory import anonymous_memory
from ftdist.io.units import GIB
from ftdist.observe.memory import peak_memory_gib
from ftdist.train.model_checks import choose_head
from ftdist.zero.build import build_engine
from ftdist.zero.engine import Zero3Engine
from tests.support.models.packed_rows import sequences
from tests.support.models.tiny_models import (
    FAMILIES,
    VOCAB,
    save_tiny_model,
    tiny_config,
    tiny_plan,
)
from tests.support.ranks import RunRanks

OWN_HEAD = {"gemma2", "granite"}
"""Gemma-2 caps its logits, Granite scales them: the chunked head would train something else."""


def build(world: World, model: Path, dtype: str = "float32", *overrides: str) -> Zero3Engine:
    config = tiny_config(model, *overrides)
    plan = tiny_plan(config, world_size=world.size)
    return build_engine(config, plan, world=world, device="cpu", dtype=dtype)  # type: ignore[arg-type]


def plain_loss(model: Path, dtype: torch.dtype) -> float:
    """Summed loss of all samples, each alone, by transformers itself."""
    from transformers import AutoModelForCausalLM

    reference = AutoModelForCausalLM.from_pretrained(model, dtype=dtype).eval()
    total = 0.0
    for row in sequences(3):
        start = 0
        for length in row.lengths.tolist():
            ids = torch.tensor(row.input_ids[start : start + length].astype("int64"))[None]
            learned = torch.tensor(row.loss[start : start + length])[1:]
            with torch.no_grad():
                logits = reference(input_ids=ids).logits[0, :-1][learned].float()
            total += float(
                torch.nn.functional.cross_entropy(logits, ids[0, 1:][learned], reduction="sum")
            )
            start += length
    return total


def check_families(
    world: World, models: Path, dtype: str
) -> dict[tuple[str, str], tuple[str, float]]:
    found: dict[tuple[str, str], tuple[str, float]] = {}
    for family in FAMILIES:
        # auto: by_sample here; transformers has no sdpa for Gemma-2.
        for kernel in ("auto", "eager" if family == "gemma2" else "sdpa"):
            engine = build(world, models / family, dtype, f"model.attention={kernel}")
            choose_head(engine, vocab_size=VOCAB, dtype=dtype, wanted_head="auto")
            batch = build_batch(sequences(3))
            found[family, kernel] = (engine.head, float(engine.evaluate(batch)[0]))
    return found


@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [("float32", 1e-5), pytest.param("bfloat16", 1e-2, marks=pytest.mark.slow)],
)
def test_each_family_gets_the_head_that_gives_its_own_loss(
    run_ranks: RunRanks, tmp_path: Path, dtype: str, tolerance: float
) -> None:
    for family in FAMILIES:
        save_tiny_model(tmp_path / family, family)
    (found,) = run_ranks(1, check_families, tmp_path, dtype, timeout_s=300)
    for (family, _), (head, loss) in found.items():
        assert head == ("model" if family in OWN_HEAD else "chunked"), family
        expected = plain_loss(tmp_path / family, getattr(torch, dtype))
        assert loss == pytest.approx(expected, rel=tolerance), family


def build_and_check(world: World, model: Path, dtype: str, *overrides: str) -> None:
    engine = build(world, model, dtype, *overrides)
    choose_head(engine, vocab_size=VOCAB, dtype=dtype, wanted_head="auto")


def refusals(world: World, models: Path, dtype: str) -> dict[str, str]:
    model = models / "gemma2"
    found = {}
    for kernel in ("sdpa", "varlen"):
        with pytest.raises(ModelError) as refused:
            build_and_check(world, model, dtype, f"model.attention={kernel}")
        found[kernel] = str(refused.value)
    engine = build(world, model, dtype)
    with pytest.raises(ModelError) as chunked:
        choose_head(engine, vocab_size=VOCAB, dtype=dtype, wanted_head="chunked")
    found["capped"] = str(chunked.value)
    scaled = build(world, models / "granite", dtype)
    with pytest.raises(ModelError) as chunked:
        choose_head(scaled, vocab_size=VOCAB, dtype=dtype, wanted_head="chunked")
    found["scaled"] = str(chunked.value)
    forward = engine._model.model.forward

    def leaking(**inputs: Any) -> Any:
        # One border only: samples see each other.
        tokens = inputs["input_ids"].shape[1]
        run_on = {
            "position_ids": torch.arange(tokens)[None],
            "cu_seq_lens_q": torch.tensor([0, tokens], dtype=torch.int32),
        }
        return forward(**{**inputs, **run_on})

    engine._model.model.forward = leaking
    with pytest.raises(ModelError) as leak:
        choose_head(engine, vocab_size=VOCAB, dtype=dtype, wanted_head="auto")
    found["leak"] = str(leak.value)
    return found


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_wrong_head_and_leaking_attention_are_refused(
    run_ranks: RunRanks, tmp_path: Path, dtype: str
) -> None:
    for family in ("gemma2", "granite"):
        save_tiny_model(tmp_path / family, family)
    (found,) = run_ranks(1, refusals, tmp_path, dtype)
    assert "Gemma2ForCausalLM does not run with model.attention=sdpa" in found["sdpa"]
    assert "model.attention=varlen cannot be used: it runs on GPUs only" in found["varlen"]
    assert "does not fit this model" in found["capped"]
    assert "gives another loss than the model's own head" in found["scaled"]
    assert "To fix: set model.head=auto" in found["scaled"]
    assert "attend to each other" in found["leak"]


def load(world: World, model: Path) -> tuple[float, float]:
    """Anonymous memory before and, at the highest, while building engine and optimizer; GiB."""
    # Their own size is not the model's.
    import deepspeed  # noqa: F401
    from transformers import LlamaForCausalLM  # noqa: F401

    from ftdist.zero import load as load_module
    from ftdist.zero.load import read_weights

    before = anonymous_memory() / GIB
    peaks = []

    def measured(*args: Any, **kwargs: Any) -> None:
        read_weights(*args, **kwargs)
        peaks.append(peak_memory_gib("cpu"))

    peak_memory_gib("cpu")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(load_module, "read_weights", measured)
        build(world, model, "float32", "engine.reduce_bucket_size=1000000")
    return before, peaks[0]


def test_loading_needs_memory_for_a_shard_and_two_parameters(
    run_ranks: RunRanks, tmp_path: Path
) -> None:
    model = save_tiny_model(
        tmp_path / "model",
        "llama_tied",
        vocab_size=20_000,
        hidden_size=1024,
        intermediate_size=4096,
        num_hidden_layers=12,
    )
    largest_gib = 20_000 * 1024 * 4 / 2**30  # the embedding: 0.076
    # A layer: queries and outputs 1024 x 1024, keys and values 512 x 1024, three of 1024 x 4096.
    whole_gib = (20_000 * 1024 + 12 * (3 * 1024 * 1024 + 3 * 1024 * 4096)) * 4 / 2**30  # 0.779
    for before, peak in run_ranks(4, load, model):
        # Allowed besides: 0.2 GiB for what libraries keep and the allocator has not given back.
        assert peak - before < whole_gib / 4 + 2 * largest_gib + 0.2 < whole_gib - 0.2
        assert peak - before > whole_gib / 4


def build_and_fail(world: World, model: Path) -> str:
    try:
        build(world, model)
    except ModelError as error:
        return str(error)
    raise AssertionError("it was accepted")


def test_unusable_model_folders_are_refused_with_a_remedy(
    run_ranks: RunRanks, tmp_path: Path
) -> None:
    missing = save_tiny_model(tmp_path / "missing", "llama")
    config = json.loads((missing / "config.json").read_text())
    (missing / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 3}))
    (message,) = run_ranks(1, build_and_fail, missing)
    assert "lacks 9 of 30 parameters (first: model.layers.2." in message
    assert "To fix: " in message

    (missing / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 1}))
    (message,) = run_ranks(1, build_and_fail, missing)
    assert "holds 9 tensors that are not part of the model in its config.json" in message

    quantised = save_tiny_model(tmp_path / "quantised", "llama")
    tensors = load_file(quantised / "model.safetensors")
    tensors["lm_head.weight"] = tensors["lm_head.weight"].to(torch.float8_e4m3fn)
    save_file(tensors, quantised / "model.safetensors", metadata={"format": "pt"})
    (message,) = run_ranks(1, build_and_fail, quantised)
    assert "holds lm_head.weight as F8_E4M3" in message

    damaged = save_tiny_model(tmp_path / "damaged", "llama")
    weights = damaged / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    (message,) = run_ranks(1, build_and_fail, damaged)
    assert "model.safetensors is not a whole safetensors file" in message
