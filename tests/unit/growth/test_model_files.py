"""Which files of the model a rank opens when it starts: each once, at any number of ranks."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_model
from torch import nn

from ftdist.dist.world import World
from ftdist.plan.model_info import read_vocab_size
from ftdist.zero import load
from ftdist.zero.resharding import shard_range
from tests.support.counting import count

MANY = 4096 * 8
FILES = 4


class Layers(nn.Module):
    """Two matrices for each file of the folder."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(8, 300, bias=False) for _ in range(2 * FILES))


def _save(folder: Path) -> Path:
    """A folder of `FILES` files without an index."""
    model = Layers()
    for file in range(FILES):
        part = nn.ModuleDict({str(n): model.layers[n] for n in (2 * file, 2 * file + 1)})
        whole = nn.Module()
        whole.layers = part
        save_model(whole, str(folder / f"part-{file}.safetensors"))
    return folder


def _sharded(world: World) -> nn.Module:
    """The model as DeepSpeed shards it."""
    model = Layers()
    parameter: Any
    for parameter in model.parameters():
        start, stop = shard_range(parameter.numel(), rank=world.rank, world_size=world.size)
        parameter.ds_shape, parameter.ds_numel = parameter.shape, parameter.numel()
        parameter.ds_tensor = torch.empty(max(1, stop - start))
    return model


@pytest.mark.parametrize("size", [8, MANY])
@pytest.mark.parametrize("is_last", [False, True])
def test_a_rank_opens_each_file_once_to_find_tensors_and_once_to_read_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, is_last: bool
) -> None:
    folder = _save(tmp_path)
    opened: list[str] = []
    whole_open = load._open

    def counted(file: Path) -> Any:
        opened.append(file.name)
        return whole_open(file)

    monkeypatch.setattr(load, "_open", counted)
    world = World(rank=size - 1 if is_last else 0, size=size, local_rank=0, local_size=8)
    load.read_weights(_sharded(world), folder, world=world)
    assert Counter(opened) == {f"part-{file}.safetensors": 2 for file in range(FILES)}


def test_the_vocabulary_is_known_without_the_weights(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"text_config": {"vocab_size": 520}}')
    assert count(lambda: read_vocab_size(tmp_path)).opened == [str(tmp_path / "config.json")]
    assert read_vocab_size(tmp_path) == 520
