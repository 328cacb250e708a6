"""Collectives that carry plain values. Every rank calls them, in the same order.

Objects travel as JSON, never as pickles: what comes from another process is data, not code.
"""

import json
from collections.abc import Callable
from typing import Any

import torch
import torch.distributed
from jaxtyping import Float
from torch import Tensor

from ftdist.dist.world import World
from ftdist.errors import StorageError

Json = Any
"""Whatever `json` reads and writes."""


def _device() -> torch.device:
    on_gpu = torch.distributed.get_backend() == "nccl"
    return torch.device("cuda", torch.cuda.current_device()) if on_gpu else torch.device("cpu")


def sum_over_ranks(values: list[float]) -> list[float]:
    """Sums over all ranks, in float64. Collective."""
    tensor = torch.tensor(values, dtype=torch.float64, device=_device())
    torch.distributed.all_reduce(tensor)
    return [float(value) for value in tensor.tolist()]


def max_over_ranks(value: float) -> float:
    """The highest value of any rank. Collective; a process without a group is the only rank."""
    if not torch.distributed.is_initialized():
        return value
    tensor = torch.tensor(value, dtype=torch.float64, device=_device())
    torch.distributed.all_reduce(tensor, op=torch.distributed.ReduceOp.MAX)
    return float(tensor.item())


def gather_over_ranks(values: Float[Tensor, " value"]) -> list[list[float]]:
    """The float64 values of every rank, in rank order. Collective.

    One collective and one wait for the device, whatever is made of the values afterwards.
    """
    gathered = values.new_empty(torch.distributed.get_world_size() * len(values))
    torch.distributed.all_gather_into_tensor(gathered, values)
    rows: list[list[float]] = gathered.view(-1, len(values)).tolist()
    return rows


def broadcast_json(value: Json, *, world: World) -> Json:
    """Rank 0's value, on every rank. Collective; the others' `value` is ignored."""
    return _from_rank(value, source=0, world=world)


def all_gather_json(value: Json, *, world: World) -> list[Json]:
    """Every rank's value, on every rank, in rank order. Collective."""
    return [_from_rank(value, source=rank, world=world) for rank in range(world.size)]


def _from_rank(value: Json, *, source: int, world: World) -> Json:
    payload = json.dumps(value).encode() if world.rank == source else b""
    length = torch.tensor(len(payload), dtype=torch.int64, device=_device())
    torch.distributed.broadcast(length, src=source)
    data = torch.empty(int(length.item()), dtype=torch.uint8, device=_device())
    if world.rank == source:
        data.copy_(torch.frombuffer(bytearray(payload), dtype=torch.uint8))
    torch.distributed.broadcast(data, src=source)
    return json.loads(bytes(data.cpu().numpy()).decode())


def all_or_none(action: Callable[[], Json], *, world: World) -> list[Json]:
    """Call `action` on every rank; if it fails on one, it fails on all. Collective.

    Args:
        action: runs no collective; returns a JSON value.
        world: this rank.

    Returns:
        every rank's value, in rank order.

    Raises:
        StorageError: some rank raised OSError or StorageError; the same message on every rank.
    """
    try:
        outcome = {"value": action()}
    except StorageError as error:
        outcome = {"problem": error.problem, "remedy": error.remedy}
    except OSError as error:
        outcome = {"problem": f"{error}.", "remedy": "free space or repair the file system."}
    outcomes = all_gather_json(outcome, world=world)
    for rank, other in enumerate(outcomes):
        if "problem" in other:
            raise StorageError(f"Rank {rank}: {other['problem']}", remedy=other["remedy"])
    return [other["value"] for other in outcomes]
