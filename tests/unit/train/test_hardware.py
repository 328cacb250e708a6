"""Use of the hardware: FLOPs and rates worked by hand."""

from dataclasses import replace

import pytest
import torch

from ftdist.dist.gemm import measure_gemm_tflops
from ftdist.train.hardware import Hardware
from tests.support.wandb.fake_run import make_plan

PLAN = replace(make_plan(), parameters=2_000_000_000, world_size=4)


def test_utilization_compares_model_flops_with_data_sheet_and_measured_products() -> None:
    hardware = Hardware(gemm_tflops=(500.0, 700.0, 600.0, 600.0), peak_tflops=960.0)
    # 6 x 2e9 x 20,000 tokens/s a rank = 240 TFLOP/s, of 960 and of 600 on average
    assert hardware.utilization(80_000, plan=PLAN) == {
        "throughput/tokens_per_s_per_rank": 20_000,
        "throughput/tflops": pytest.approx(240),
        "throughput/mfu": pytest.approx(0.25),
        "throughput/gemm_utilization": pytest.approx(0.4),
    }


def test_without_a_data_sheet_there_is_no_mfu() -> None:
    row = Hardware(gemm_tflops=(0.04,) * 4, peak_tflops=None).utilization(1.0, plan=PLAN)
    assert "throughput/mfu" not in row


def test_ranks_below_four_fifths_of_the_median_are_named() -> None:
    hardware = Hardware(gemm_tflops=(600.0, 590.0, 470.0, 610.0), peak_tflops=989.0)
    assert hardware.describe() == (
        "Matrix products: 595 TFLOP/s per rank (data sheet: 989); slower: rank 2 470"
    )
    assert Hardware(gemm_tflops=(0.04,), peak_tflops=None).describe() == (
        "Matrix products: 0.04 TFLOP/s per rank"
    )


def test_measuring_leaves_the_random_state_alone() -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    assert measure_gemm_tflops(torch.device("cpu"), dtype=torch.float32, seconds=0.01) > 0
    assert torch.equal(torch.get_rng_state(), before)
