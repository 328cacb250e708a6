"""What of a rank's training state is wrong."""

import math
from types import SimpleNamespace

import pytest
import torch

from ftdist.zero import training_state
from ftdist.zero.engine import Zero3Engine
from ftdist.zero.training_state import differs_from_master


@pytest.mark.fault("N1", "N3")
@pytest.mark.parametrize(
    ("shard", "master", "differs"),
    [
        # 1.001 is 1.0 in bfloat16; the next number is 1.0078.
        ([1.0, -2.0], [1.001, -2.0], False),
        ([1.0078125, -2.0], [1.001, -2.0], True),
        ([math.nan, math.inf], [math.nan, math.inf], False),
        ([math.nan, 1.0], [1.0, 1.0], True),
    ],
)
def test_weights_are_those_of_the_optimizer_rounded_and_nan_is_nan(
    shard: list[float], master: list[float], differs: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Zero3Engine.__new__(Zero3Engine)
    monkeypatch.setattr(training_state, "_range", lambda *_: (0, 2))
    monkeypatch.setattr(training_state, "_state", lambda *_: torch.tensor(master))
    parameter = SimpleNamespace(ds_tensor=torch.tensor(shard, dtype=torch.bfloat16))
    assert differs_from_master(engine, parameter) is differs
