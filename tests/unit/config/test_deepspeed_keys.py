"""RunConfig and Plan become DeepSpeed's dictionary, and DeepSpeed itself is asked about it."""

import json
import sys
from pathlib import Path

import pytest

from ftdist.config.compose import compose
from ftdist.config.deepspeed_keys import (
    OWNED,
    check_deepspeed_keys,
    deepspeed_config,
    owned_deepspeed_keys,
)
from ftdist.config.schema import RunConfig
from ftdist.plan.plan import LibraryFacts, ModelFacts, Plan, SourceFacts, make_plan

GOLDEN = Path(__file__).with_name("golden")
NEEDED = ["run.name=r", "model.path=m", "library.path=l"]


def _plan(config: RunConfig) -> Plan:
    source = SourceFacts(
        name="library",
        weight=1.0,
        samples=80,
        sequences=32,
        tokens=100_000,
        loss_tokens=50_000,
        held_out_samples=4,
        held_out_sequences=2,
    )
    model = ModelFacts(
        parameters=1_000_000,
        largest_parameter=200_000,
        hidden_size=64,
        layers=2,
        vocab_size=3_125,
        max_position=None,
        model_type="llama",
        tied=True,
    )
    library = LibraryFacts(path="/cache/k", key="k", sources=(source,))
    return make_plan(config, model=model, library=library, device="cpu")


@pytest.mark.parametrize(
    ("name", "overrides", "device", "dtype"),
    [
        ("zero3-cuda-bfloat16", ["cluster.tasks_per_node=8"], "cuda", "bfloat16"),
        ("zero3-cpu-float32", ["experiment=tiny"], "cpu", "float32"),
        (
            "offload-cuda-bfloat16",
            [
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
    config = compose([*NEEDED, *overrides])
    made = deepspeed_config(config, _plan(config), device=device, dtype=dtype)  # type: ignore[arg-type]
    assert made == json.loads((GOLDEN / f"deepspeed-{name}.json").read_text(encoding="utf-8"))


def test_every_key_of_the_golden_dictionaries_is_one_that_deepspeed_knows() -> None:
    files = sorted(GOLDEN.glob("deepspeed-*.json"))
    read = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    whole = {key: value for settings in read for key, value in settings.items()}
    whole["zero_optimization"] = {
        key: value for settings in read for key, value in settings["zero_optimization"].items()
    }
    # batch sizes are those of several ranks, which only a world of as many can check
    del whole["train_batch_size"], whole["train_micro_batch_size_per_gpu"]
    assert [line for line in check_deepspeed_keys(whole) if "owned by ftdist" not in line] == []


def test_what_ftdist_sets_is_what_it_owns_or_leaves_free_on_purpose() -> None:
    config = compose([*NEEDED, "engine=zero3_offload"])
    made = deepspeed_config(config, _plan(config), device="cuda", dtype="bfloat16")
    owned = {key.removeprefix("engine.deepspeed.") for key, _ in owned_deepspeed_keys(made)}
    flat = set(made) - {"zero_optimization"}
    assert {key for key in flat if not any(o.split(".")[0] == key for o in owned)} == {
        "steps_per_print"
    }


def test_mistyped_settings_are_told_all_at_once_with_the_nearest_name() -> None:
    problems = check_deepspeed_keys(
        {
            "zero_optimisation": {"stage": 3},
            "wall_clock_breakdwn": True,
            "zero_optimization": {
                "overlap_com": True,
                "sub_group_size": -1,
                "offload_optimizer": {"pin_memry": True},
            },
            "comms_logger": {"enabledd": True},
            "flops_profiler": {"enabled": False, "profile_stp": 1},
            "nebula": {"enabled": True},
            "gradient_clipping": 1.0,
        }
    )
    whole = "\n".join(problems)
    for said in (
        "gradient_clipping is owned by ftdist: set optim.max_grad_norm instead.",
        "zero_optimisation is not a setting of DeepSpeed: did you mean "
        "engine.deepspeed.zero_optimization?",
        "did you mean engine.deepspeed.wall_clock_breakdown?",
        "did you mean engine.deepspeed.zero_optimization.overlap_comm?",
        "sub_group_size=-1 is refused: Input should be greater than or equal to 0.",
        "did you mean engine.deepspeed.zero_optimization.offload_optimizer.pin_memory?",
        "did you mean engine.deepspeed.comms_logger.enabled?",
        "did you mean engine.deepspeed.flops_profiler.profile_step?",
        "engine.deepspeed.nebula.enabled is not tested with ftdist's sharding and checkpoints",
    ):
        assert said in whole
    assert len(problems) == 9


def test_an_empty_mapping_asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    assert check_deepspeed_keys({}) == []


def test_owned_settings_are_found_at_any_depth_and_whole_sections_are_not_replaced() -> None:
    assert dict(
        owned_deepspeed_keys({"zero_optimization": {"stage": 2, "overlap_comm": True}})
    ) == {"zero_optimization.stage": OWNED["zero_optimization.stage"]}
    assert dict(owned_deepspeed_keys({"bf16": {"enabled": True}})) == {
        "bf16.enabled": "set model.dtype instead."
    }
    assert dict(owned_deepspeed_keys({"zero_optimization": True})) == {
        "zero_optimization": "set the keys in it one by one."
    }
    assert owned_deepspeed_keys({"steps_per_print": 10}) == []


@pytest.mark.parametrize(
    "settings",
    [
        {"tensor_parallel": {"autotp_size": 2}},
        {"data_efficiency": {"enabled": True}},
        {"zero_optimization": {"zero_hpz_partition_size": 8}},
        {"zero_optimization": {"zero_quantized_weights": True}},
        {"autotuning": {"enabled": True}},
        {"pipeline": {"stages": 2}},
    ],
)
def test_settings_that_checkpoints_were_never_tested_with_are_refused(
    settings: dict[str, object],
) -> None:
    (said,) = check_deepspeed_keys(settings)
    assert "is not tested with ftdist's sharding and checkpoints: leave it out" in said
