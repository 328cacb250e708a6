"""What is refused of a model, before a run directory is made or a library tokenised."""

import json
from pathlib import Path
from typing import Any

import pytest
from ftdist_launch.setup.preflight import context_problems, measure_problems, model_problems
from ftdist_launch.setup.run_setup import make_run_dir

from ftdist.config.compose import compose
from ftdist.config.saved_config import load_config
from ftdist.config.schema import RunConfig
from ftdist.errors import ModelError
from ftdist.plan.dataset_info import PackedDatasetInfo, PackedSourceInfo
from ftdist.plan.model_info import ModelInfo
from ftdist.plan.planner import make_plan
from tests.support.fixed_engine import fixed_engine

CONFIG = {
    "model_type": "llama",
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "vocab_size": 16,
    "max_position_embeddings": 512,
}


def model_folder(folder: Path, *, dtype: str = "F32", name: str = "w.weight", **more: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({**CONFIG, **more}))
    header = json.dumps({name: {"dtype": dtype, "shape": [2], "data_offsets": [0, 8]}}).encode()
    text = len(header).to_bytes(8, "little") + header + bytes(8)
    (folder / "model.safetensors").write_bytes(text)
    (folder / "tokenizer.json").write_text("{}")
    return folder


def some_config(tmp_path: Path, *overrides: str) -> RunConfig:
    base = [f"model.path={tmp_path}/m", "library.path=l", "run.name=r", f"run.root={tmp_path}/runs"]
    return compose([*base, *fixed_engine(*overrides)])


@pytest.mark.parametrize(
    "more",
    [
        {"num_local_experts": 8},
        {"text_config": {"num_experts": 4}},
        {"ffn_config": {"moe_num_experts": 16}},
        {"n_routed_experts": 64},
    ],
)
def test_mixture_of_experts_models_are_refused(tmp_path: Path, more: dict[str, Any]) -> None:
    (problem,) = model_problems(model_folder(tmp_path / "m", **more))
    assert "is a mixture of" in problem.problem


def test_a_single_expert_is_a_dense_model(tmp_path: Path) -> None:
    assert list(model_problems(model_folder(tmp_path / "m", num_local_experts=1))) == []


def test_a_quantised_model_is_refused_by_its_config_and_by_its_weights(tmp_path: Path) -> None:
    (problem,) = model_problems(
        model_folder(tmp_path / "m", quantization_config={"quant_method": "gptq"})
    )
    assert "has a quantization_config" in problem.problem
    for dtype in ("F8_E4M3", "I32"):
        (problem,) = model_problems(model_folder(tmp_path / "m", dtype=dtype))
        assert f"holds w.weight as {dtype}" in problem.problem


def test_counters_and_masks_may_be_integers(tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "m", dtype="I64", name="embeddings.position_ids")
    assert list(model_problems(folder)) == []


@pytest.mark.parametrize("text", ["[]", "{", "3", '{"hidden_size": "8"}', "[" * 100_000])
def test_a_malformed_model_config_is_reported_once(tmp_path: Path, text: str) -> None:
    folder = model_folder(tmp_path / "m")
    (folder / "config.json").write_text(text)
    (problem,) = model_problems(folder)
    assert isinstance(problem, ModelError)
    assert "config.json" in problem.problem


@pytest.mark.parametrize("positions", ["many", [1], True, -5])
def test_non_numeric_max_positions_are_refused(tmp_path: Path, positions: Any) -> None:
    (problem,) = model_problems(model_folder(tmp_path / "m", max_position_embeddings=positions))
    assert "max_position_embeddings=" in problem.problem


@pytest.mark.parametrize("index", [[], {"weight_map": {"w": 5}}, {"weight_map": [1]}, {}])
def test_a_malformed_weight_index_is_one_clear_error(tmp_path: Path, index: Any) -> None:
    folder = model_folder(tmp_path / "m")
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    (problem,) = model_problems(folder)
    assert "is not a table of tensors and the files that hold them" in problem.problem


def test_a_malformed_auto_map_is_refused_too(tmp_path: Path) -> None:
    (problem,) = model_problems(model_folder(tmp_path / "m", auto_map=5))
    assert "needs custom code" in problem.problem


def test_sequences_longer_than_the_context_are_found_without_the_library(tmp_path: Path) -> None:
    model_folder(tmp_path / "m")
    (problem,) = context_problems(some_config(tmp_path, "batch.sequence_length=4096"))
    assert problem.problem == ("batch.sequence_length=4096 is more than the model's 512 positions.")
    for fitting in ("512", "auto"):
        config = some_config(tmp_path, f"batch.sequence_length={fitting}")
        assert list(context_problems(config)) == []


def test_probe_evals_without_questions_are_refused_before_start(tmp_path: Path) -> None:
    def output(*overrides: str) -> list[str]:
        config = some_config(tmp_path, *overrides)
        return [problem.problem for problem in measure_problems(config)]

    assert output() == []
    (problem,) = output("eval.probes_every_steps=5")
    assert "There is no probes.jsonl in or next to the library" in problem
    one = {"question": "Q?", "answer": "A.", "kind": "fact"}
    (tmp_path / "p.jsonl").write_text(json.dumps(one) + "\n")
    keys = ("eval.probes_every_steps=5", f"eval.probes={tmp_path / 'p.jsonl'}")
    (problem,) = output(*keys)
    assert "has no question about the library with answers to rank" in problem
    other = one | {"answer": "B."}
    (tmp_path / "p.jsonl").write_text(json.dumps(one) + "\n" + json.dumps(other) + "\n")
    assert output(*keys) == []


def test_probes_with_a_token_that_the_model_lacks_are_refused_before_start(tmp_path: Path) -> None:
    rows = [{"question": f"Fern{n}?", "answer": f"{n}.", "kind": "fact"} for n in range(2)]
    (tmp_path / "p.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    keys = ("eval.probes_every_steps=5", f"eval.probes={tmp_path / 'p.jsonl'}")
    folder = model_folder(tmp_path / "m")
    added = [{"id": 16, "content": "<pad>"}, {"id": 17, "content": "Fern1"}]
    (folder / "tokenizer.json").write_text(json.dumps({"added_tokens": added}))
    (problem,) = measure_problems(some_config(tmp_path, *keys))
    assert "'Fern1' has id 17, but the model's embedding has 16 rows" in problem.problem
    assert "resize_token_embeddings(18)" in problem.remedy
    (folder / "tokenizer.json").write_text(json.dumps({"added_tokens": added[:1]}))
    assert list(measure_problems(some_config(tmp_path, *keys))) == []


def test_a_run_keeps_the_dtype_that_its_plan_resolved(tmp_path: Path) -> None:
    batch = ("batch.tokens=1024", "batch.sequence_length=512", "train.steps=1")
    config = some_config(tmp_path, "cluster.device=auto", *batch)
    source = PackedSourceInfo(
        name="library",
        weight=1.0,
        samples=10,
        sequences=10,
        tokens=10_000,
        loss_tokens=10,
        held_out_samples=0,
        held_out_sequences=0,
    )
    model = ModelInfo(
        parameters=10,
        largest_parameter=10,
        hidden_size=8,
        layers=2,
        vocab_size=16,
        max_position=None,
        model_type="llama",
        tied=False,
    )
    library = PackedDatasetInfo(path="/k", key="k", sources=(source,))
    plan = make_plan(config, model=model, library=library, device="cuda")
    run = make_run_dir(config, overrides=[], plan=plan)
    assert config.model.dtype == "auto"
    assert load_config(run.config).model.dtype == "bfloat16"
