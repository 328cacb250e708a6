"""The promise under every other test: wrong shapes and types do not pass unseen."""

import pytest
import torch
from jaxtyping import TypeCheckError

from ftdist.nn.loss import summed_loss
from ftdist.rundir import RunDir


def test_a_tensor_of_the_wrong_shape_is_refused() -> None:
    with pytest.raises(TypeCheckError, match="head"):
        summed_loss(torch.zeros(3, 4), torch.zeros(7, 5), torch.zeros(3, dtype=torch.int64))


def test_a_field_of_the_wrong_type_is_refused() -> None:
    with pytest.raises(TypeCheckError, match="root"):
        RunDir(root="not a path")  # type: ignore[arg-type]
