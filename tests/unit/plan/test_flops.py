"""Model FLOPs utilization: operations per token."""

from ftdist.plan.flops import flops_per_token


def test_six_operations_per_parameter_and_four_for_frozen_ones() -> None:
    """10 parameters, 4 of them frozen: 6 x 6 + 4 x 4."""
    assert flops_per_token(10) == 60.0
    assert flops_per_token(10, frozen=4) == 52.0
