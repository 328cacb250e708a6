"""MLPs in tiles: the results of whole ones, and equally many tiles for rows of any length."""

import pytest
import torch
from torch import Tensor, nn

from ftdist.errors import ModelError
from ftdist.zero.tiled_mlp import tile_mlps


class Mlp(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(4, 12), nn.Linear(12, 4)
        self.rows: list[int] = []

    def forward(self, hidden: Tensor) -> Tensor:
        self.rows.append(hidden.shape[-2])
        out: Tensor = self.down(torch.relu(self.up(hidden)))
        return out


class Layer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.mlp = Mlp()

    def forward(self, hidden: Tensor) -> Tensor:
        out: Tensor = hidden + self.mlp(hidden)
        return out


def gradients(model: nn.Sequential, hidden: Tensor) -> list[Tensor]:
    model.zero_grad()
    hidden.grad = None
    model(hidden).pow(2).sum().backward()
    return [p.grad.clone() for p in (*model.parameters(), hidden) if p.grad is not None]


@pytest.mark.parametrize("tokens", [1, 7, 16])
def test_tiles_have_the_gradients_of_the_whole(tokens: int) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(Layer(), Layer())
    hidden = torch.randn(1, tokens, 4, requires_grad=True)
    whole = gradients(model, hidden)
    tile_mlps(model, tiles=4)
    for one, other in zip(gradients(model, hidden), whole, strict=True):
        torch.testing.assert_close(one, other)


def test_a_short_row_has_as_many_tiles_as_a_long_one() -> None:
    model = nn.Sequential(Layer())
    tile_mlps(model, tiles=4)
    layer: Layer = model[0]  # type: ignore[assignment]
    for tokens, rows in ((2, [1] * 4), (16, [4] * 4)):
        layer.mlp.rows.clear()
        gradients(model, torch.randn(1, tokens, 4, requires_grad=True))
        assert layer.mlp.rows == rows * 2  # forward, and again in backward


def test_an_mlp_above_frozen_parameters_alone_is_trained() -> None:
    model = nn.Sequential(Layer())
    tile_mlps(model, tiles=2)
    model(torch.randn(1, 4, 4)).sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_a_model_without_mlps_is_refused() -> None:
    with pytest.raises(ModelError) as caught:
        tile_mlps(nn.Sequential(nn.Linear(2, 2)), tiles=2)
    assert caught.value.remedy == "set model.mlp_tiles=1."
