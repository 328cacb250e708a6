"""Ranks that share rows: what `plan` computes and refuses."""

from dataclasses import replace

import pytest

from ftdist.config.compose import compose
from ftdist.errors import ConfigError
from ftdist.plan.model_info import ModelInfo
from ftdist.plan.plan import Plan
from ftdist.plan.planner import make_plan
from tests.unit.plan.test_plan import MODEL, _library

GROUPED = replace(MODEL, attention_heads=24, key_value_heads=6)


def planned(*overrides: str, ranks: int = 8, model: ModelInfo = GROUPED) -> Plan:
    config = compose(
        [
            "model.path=m",
            "library.path=l",
            "run.name=r",
            "train.steps=10",
            "batch.sequence_length=64",
            "batch.tokens=512",
            f"cluster.tasks_per_node={ranks}",
            "cluster.device=cuda",
            "engine=zero3",
            "batch.micro_batch_size=1",
            "model.activation_checkpointing=full",
            *overrides,
        ]
    )
    return make_plan(config, model=model, library=_library())


def refused(*overrides: str, ranks: int = 8) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        planned(*overrides, ranks=ranks)
    return caught.value


def test_a_group_of_ranks_counts_once_in_micro_steps() -> None:
    plan = planned("batch.sequence_parallel_size=2")
    # 8 sequences for 4 groups of 2 ranks.
    assert (plan.data_parallel_size, plan.global_sequences, plan.micro_steps) == (4, 8, 2)


@pytest.mark.parametrize(("size", "ranks"), [(2, 8), (3, 3), (6, 6), (12, 12), (24, 24)])
def test_key_heads_are_shared_out_or_copied(size: int, ranks: int) -> None:
    sizes = f"batch.sequence_parallel_size={size}"
    assert planned(sizes, "batch.allow_uneven=true", ranks=ranks)


def test_heads_that_ranks_cannot_share_are_refused_with_sizes_that_fit() -> None:
    error = refused("batch.sequence_parallel_size=4", "batch.allow_uneven=true", ranks=12)
    assert error.problem == (
        "batch.sequence_parallel_size=4 cannot share out the model's 24 attention heads and 6 key "
        "heads: each rank needs equally many."
    )
    # 4 divides neither 6 key heads nor is it a multiple of them.
    assert error.remedy == "set batch.sequence_parallel_size to 1, 2, 3, 6 or 12."


def test_ranks_that_are_no_whole_groups_are_refused_with_the_key_to_change() -> None:
    error = refused("batch.sequence_parallel_size=3")
    assert "3 does not divide the 8 ranks" in error.problem
    assert "1, 2, 4 or 8" in error.remedy


def test_attention_with_a_mask_is_refused() -> None:
    error = refused("batch.sequence_parallel_size=2", "model.attention=sdpa")
    assert error.remedy == "set model.attention=auto."


def test_activations_of_a_row_are_shared_by_its_ranks() -> None:
    whole, shared = planned(), planned("batch.sequence_parallel_size=2")
    assert whole.activations_gib / 2 < shared.activations_gib < whole.activations_gib * 0.7
    assert shared.parameters_gib == whole.parameters_gib


def test_offloaded_inputs_need_activation_checkpointing() -> None:
    error = refused("model.activation_offload=true", "model.activation_checkpointing=none")
    assert error.remedy == "set model.activation_checkpointing=full."


def test_a_million_tokens_are_planned_where_the_model_has_the_positions() -> None:
    model = replace(MODEL, attention_heads=32, key_value_heads=8, max_position=2**20)
    keys = ("batch.sequence_length=1Mi", "batch.tokens=2Mi", "batch.sequence_parallel_size=8")
    plan = planned(*keys, model=model)
    assert (plan.sequence_length, plan.micro_steps) == (2**20, 2)
    host = planned(*keys, "model.activation_offload=true", model=model)
    # The inputs of 16 layers, 2 of them on the device at once: 131,072 tokens x 2,048 x 2 bytes.
    assert host.host_offload_gib == pytest.approx(16 * 0.5)
    assert plan.activations_gib - host.activations_gib == pytest.approx(14 * 0.5)


def test_tiles_save_activations_of_mlps_alone() -> None:
    tiled = planned("model.mlp_tiles=8")
    assert tiled.activations_gib < planned("model.mlp_tiles=1").activations_gib
    assert tiled.parameters_gib == planned("model.mlp_tiles=1").parameters_gib
