"""A run that does not fit its GPUs is refused, with the smallest change that fits."""

import pytest

from ftdist.config.compose import compose
from ftdist.errors import ConfigError
from ftdist.plan.dataset_info import PackedDatasetInfo, PackedSourceInfo
from ftdist.plan.fit import check_fits
from ftdist.plan.model_info import ModelInfo
from ftdist.plan.planner import make_plan
from tests.support.fixed_engine import fixed_engine

LIBRARY = PackedDatasetInfo(
    path="/cache/k",
    key="k",
    sources=(
        PackedSourceInfo(
            name="library",
            weight=1.0,
            samples=300,
            sequences=100,
            tokens=400_000,
            loss_tokens=200_000,
            held_out_samples=5,
            held_out_sequences=2,
        ),
    ),
)
MODEL = ModelInfo(
    parameters=2**30,
    largest_parameter=2**28,
    hidden_size=2048,
    layers=16,
    vocab_size=131_072,
    max_position=8192,
    model_type="llama",
    tied=True,
)


def _check(available: float, *overrides: str, device: str = "cuda") -> None:
    config = compose(
        [
            *("run.name=r", "model.path=m", "library.path=l", f"cluster.device={device}"),
            *("batch.tokens=131072", "batch.sequence_length=4096", "train.epochs=3"),
            *fixed_engine("cluster.memory_gib=512", *overrides),
        ]
    )
    plan = make_plan(config, model=MODEL, library=LIBRARY)
    check_fits(plan, available, config=config, model=MODEL)


def test_a_run_that_fits_and_a_run_on_cpus_pass() -> None:
    _check(80.0)
    _check(0.1, device="cpu")


def test_a_run_that_does_not_fit_is_refused_with_its_terms_and_what_fits() -> None:
    with pytest.raises(ConfigError) as caught:
        _check(30.0, "model.activation_checkpointing=none", "batch.micro_batch_size=2")
    assert "the GPU has 30.00 GiB" in caught.value.problem
    assert "optimizer 12.00 GiB" in caught.value.problem
    assert "activations" in caught.value.problem
    # 18.2 GiB of states, 3.6 of the head, 2 of CUDA leave 3.2 of 27: half the layers take 6.5.
    assert caught.value.remedy.startswith("set model.activation_checkpointing=full (about ")


def test_changes_are_tried_from_the_cheapest_to_more_machines() -> None:
    with pytest.raises(ConfigError) as caught:
        _check(16.0)
    assert caught.value.remedy.startswith("set engine=zero3_offload (about ")
    with pytest.raises(ConfigError) as caught:
        _check(
            11.0, "engine=zero3_offload", "batch.micro_batch_size=4", "batch.sequence_length=8192"
        )
    assert "batch.micro_batch_size=1" in caught.value.remedy


def test_offloading_is_advised_only_where_the_host_has_the_memory() -> None:
    # Offloading takes 12 + 4 + 2 bytes for each of 2^30 parameters, 4 GiB for a sub-group of 10^9
    # and 0.5 for the rest, as powers of two: 22.5 GiB of host memory.
    assert _remedy(16.0, "cluster.memory_gib=23").startswith("set engine=zero3_offload (about ")
    assert _remedy(16.0, "cluster.memory_gib=22").startswith("set cluster.nodes=4 (about ")


def test_a_remedy_names_the_sum_that_the_changed_run_needs_with_cuda_and_nccl() -> None:
    gib = _remedy(16.0, "cluster.memory_gib=22").split("about ")[1].split(" GiB")[0]
    with pytest.raises(ConfigError, match=f"A rank needs about {gib} GiB"):
        _check(12.0, "cluster.nodes=4", "model.activation_checkpointing=full")


def test_what_no_change_can_help_is_said() -> None:
    # 0.9 x 2.2 GiB are less than the 2 GiB that CUDA and NCCL take.
    assert _remedy(2.2) == (
        "take GPUs with more memory: CUDA and NCCL alone take about 2.00 GiB per rank."
    )
    assert _remedy(2.3).endswith("offloading or up to 64 nodes are not enough.")


def _remedy(available: float, *overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        _check(available, *overrides)
    return caught.value.remedy
