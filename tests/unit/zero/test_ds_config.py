"""RunConfig and Plan become DeepSpeed's dictionary."""

import json
from pathlib import Path

import pytest

from ftdist.config.compose import compose
from ftdist.config.deepspeed_keys import OWNED, deepspeed_problems
from ftdist.config.schema import RunConfig
from ftdist.plan.dataset_info import PackedDatasetInfo, PackedSourceInfo
from ftdist.plan.model_info import ModelInfo
from ftdist.plan.plan import Plan
from ftdist.plan.planner import make_plan
from ftdist.zero.ds_config import build_ds_config, without_optimizer
from tests.support.fixed_engine import fixed_engine

GOLDEN = Path(__file__).with_name("golden")
NEEDED = ["run.name=r", "model.path=m", "library.path=l"]
BATCH = ["batch.tokens=131072", "batch.sequence_length=4096", "train.epochs=3"]


def _plan(config: RunConfig) -> Plan:
    source = PackedSourceInfo(
        name="library",
        weight=1.0,
        samples=80,
        sequences=32,
        tokens=100_000,
        loss_tokens=50_000,
        held_out_samples=4,
        held_out_sequences=2,
    )
    model = ModelInfo(
        parameters=1_000_000,
        largest_parameter=200_000,
        hidden_size=64,
        layers=2,
        vocab_size=3_125,
        max_position=None,
        model_type="llama",
        tied=True,
    )
    library = PackedDatasetInfo(path="/cache/k", key="k", sources=(source,))
    return make_plan(config, model=model, library=library, device="cpu")


@pytest.mark.parametrize(
    ("name", "overrides", "device", "dtype"),
    [
        ("zero3-cuda-bfloat16", [*BATCH, "cluster.tasks_per_node=8"], "cuda", "bfloat16"),
        ("zero3-cpu-float32", ["experiment=tiny"], "cpu", "float32"),
        (
            "offload-cuda-bfloat16",
            [
                *BATCH,
                "engine=zero3_offload",
                "engine.accumulation_dtype=bfloat16",
                "engine.communication_dtype=bfloat16",
                "engine.deepspeed.zero_optimization.overlap_comm=false",
                "engine.deepspeed.zero_optimization.offload_optimizer.ratio=0.5",
                "engine.deepspeed.wall_clock_breakdown=true",
            ],
            "cuda",
            "bfloat16",
        ),
    ],
)
def test_deepspeed_reads_the_golden_dictionary(
    name: str, overrides: list[str], device: str, dtype: str
) -> None:
    config = compose([*NEEDED, *fixed_engine(*overrides)])
    made = build_ds_config(config, _plan(config), device=device, dtype=dtype)  # type: ignore[arg-type]
    assert made == json.loads((GOLDEN / f"deepspeed-{name}.json").read_text(encoding="utf-8"))


def test_the_reference_model_stays_sharded_where_the_trained_one_is_whole() -> None:
    whole = "engine.param_persistence_threshold=1_000_000"
    config = compose([*NEEDED, *BATCH, *fixed_engine(whole)])
    settings = build_ds_config(config, _plan(config), device="cuda", dtype="bfloat16")
    key = "stage3_param_persistence_threshold"
    assert settings["zero_optimization"][key] == 1_000_000
    frozen = without_optimizer(settings)["zero_optimization"]
    assert key not in frozen  # DeepSpeed's own 100,000
    assert frozen["stage"] == 3


def test_generated_deepspeed_settings_are_reserved_unless_left_free() -> None:
    config = compose([*NEEDED, *fixed_engine(*BATCH, "engine=zero3_offload")])
    made = build_ds_config(config, _plan(config), device="cuda", dtype="bfloat16")
    free = {
        problem.key.removeprefix("engine.deepspeed.")
        for problem in deepspeed_problems(made)
        if "is set by ftdist itself" not in problem.problem
    }
    assert free == set()
    zero = {f"zero_optimization.{key}" for key in made["zero_optimization"]}
    owned = {key.split(".")[0] for key in OWNED} | set(OWNED)
    assert set(made) - owned == {"steps_per_print"}
    assert {key for key in zero if not any(o.startswith(key) for o in owned)} == {
        "zero_optimization.stage3_max_reuse_distance"
    }
