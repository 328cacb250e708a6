"""Collectives that carry plain values. Every rank calls them, in the same order.

Objects travel as JSON, never as pickles: what comes from another process is data, not code.
"""

import json
from collections.abc import Callable
from typing import Any, TypeVar

import torch
import torch.distributed
from jaxtyping import Float
from torch import Tensor

from ftdist.dist.world import World
from ftdist.errors import (
    ConfigError,
    DataError,
    ModelError,
    StorageError,
    TransientStorageError,
)
from ftdist.io.retry import is_passing

Value = TypeVar("Value")
Json = Any
"""Whatever `json` reads and writes."""

_HEADER = 8
"""Bytes before a payload: its length."""


def _device() -> torch.device:
    on_gpu = torch.distributed.get_backend() == "nccl"
    return torch.device("cuda", torch.cuda.current_device()) if on_gpu else torch.device("cpu")


def all_gather_single(gathered: Tensor, own: Tensor) -> None:
    """Every rank's tensor, one after the other in `gathered`. Collective."""
    # Older versions of torch have it under its old name only.
    name = "all_gather_single"
    name = name if hasattr(torch.distributed, name) else "all_gather_into_tensor"
    getattr(torch.distributed, name)(gathered, own)


def reduce_scatter_single(reduced: Tensor, own: Tensor) -> None:
    """The sum over all ranks of this rank's part of `own`. Collective."""
    name = "reduce_scatter_single"
    name = name if hasattr(torch.distributed, name) else "reduce_scatter_tensor"
    getattr(torch.distributed, name)(reduced, own)


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


def is_same_on_ranks(value: int) -> bool:
    """Whether every rank has the same value; the same answer on all. Collective, once.

    Args:
        value: from 0 to 2**63 - 1.
    """
    highest = torch.tensor([value, -value], dtype=torch.int64, device=_device())
    torch.distributed.all_reduce(highest, op=torch.distributed.ReduceOp.MAX)
    most, least = highest.tolist()
    return bool(most == -least)


def gather_over_ranks(values: Float[Tensor, " value"]) -> list[list[float]]:
    """The float64 values of every rank, in rank order. Collective.

    One collective and one wait for the device, whatever is made of the values afterwards.
    """
    gathered = values.new_empty(torch.distributed.get_world_size() * len(values))
    all_gather_single(gathered, values)
    rows: list[list[float]] = gathered.view(-1, len(values)).tolist()
    return rows


def broadcast_json(value: Json, *, world: World) -> Json:
    """Rank 0's value, on every rank. Collective, twice; the others' `value` is ignored."""
    payload = _encode(value) if world.is_rank0 else torch.empty(0, dtype=torch.uint8)
    length = torch.tensor(len(payload), dtype=torch.int64, device=_device())
    torch.distributed.broadcast(length, src=0)
    data = _padded(payload, length=int(length.item()))
    torch.distributed.broadcast(data, src=0)
    return _decode(data)


def all_gather_json(value: Json, *, world: World) -> list[Json]:
    """Every rank's value, on every rank, in rank order. Collective, twice for any number of ranks.

    All are as long as the longest on their way: for values of similar, small size.
    """
    payload = _encode(value)
    lengths = torch.empty(world.size, dtype=torch.int64, device=_device())
    own_length = torch.tensor([len(payload)], dtype=torch.int64, device=_device())
    all_gather_single(lengths, own_length)
    longest = int(lengths.max().item())
    gathered = torch.empty(world.size * longest, dtype=torch.uint8, device=_device())
    all_gather_single(gathered, _padded(payload, length=longest))
    return _decode_rows(gathered, lengths)


def gather_json(value: Json, *, world: World) -> list[Json]:
    """Every rank's value, in rank order, on rank 0; nothing on the others. Collective, twice.

    As `all_gather_json`, where only rank 0 needs the values.
    """
    payload = _encode(value)
    header = torch.frombuffer(
        bytearray(len(payload).to_bytes(_HEADER, "little")), dtype=torch.uint8
    )
    longest = int(max_over_ranks(_HEADER + len(payload)))
    own = _padded(torch.cat([header, payload]), length=longest)
    if not world.is_rank0:
        torch.distributed.gather(own, dst=0)
        return []
    gathered = own.new_empty(world.size * longest)
    torch.distributed.gather(own, list(gathered.split(longest)), dst=0)
    rows = gathered.cpu().view(world.size, longest)
    lengths = torch.frombuffer(bytearray(rows[:, :_HEADER].numpy().tobytes()), dtype=torch.int64)
    return _decode_rows(rows[:, _HEADER:].flatten(), lengths)


def _encode(value: Json) -> Tensor:
    return torch.frombuffer(bytearray(json.dumps(value).encode()), dtype=torch.uint8)


def _padded(payload: Tensor, *, length: int) -> Tensor:
    data = torch.zeros(length, dtype=torch.uint8)
    data[: len(payload)] = payload
    return data.to(_device())


def _decode(data: Tensor) -> Json:
    return json.loads(data.cpu().numpy().tobytes())


def _decode_rows(gathered: Tensor, lengths: Tensor) -> list[Json]:
    payloads = gathered.cpu().numpy().reshape(len(lengths), -1)
    return [
        json.loads(payload[:length].tobytes())
        for payload, length in zip(payloads, lengths.tolist(), strict=True)
    ]


def on_rank0(action: Callable[[], Json], *, world: World) -> Json:
    """Call `action` on rank 0 alone; its value on every rank. Collective, twice.

    Args:
        action: runs no collective; returns a JSON value.
        world: this rank.

    Raises:
        FtdistError: it raised one of `_SHARED`, or OSError (a StorageError); the same message on
            every rank.
    """
    outcome = broadcast_json(_outcome(action) if world.is_rank0 else None, world=world)
    _raise_problem(outcome, rank=0)
    return outcome["value"]


def all_or_none(action: Callable[[], Value], *, world: World) -> Value:
    """Call `action` on every rank; if it fails on one, it fails on all. Collective, once.

    Args:
        action: runs no collective.
        world: this rank.

    Returns:
        this rank's value.

    Raises:
        FtdistError: some rank raised one of `_SHARED`, or OSError (a StorageError); the same
            message on every rank.
    """
    outcome = _outcome(action)
    if max_over_ranks(float("problem" in outcome)) > 0:
        problems = {name: outcome[name] for name in outcome if name != "value"}
        for rank, problem in enumerate(all_gather_json(problems, world=world)):
            _raise_problem(problem, rank=rank)
    value: Value = outcome["value"]
    return value


_SHARED = (ConfigError, DataError, ModelError, TransientStorageError, StorageError)
"""Errors of one rank that all ranks raise; a class before its parent."""


def _outcome(action: Callable[[], Any]) -> dict[str, Any]:
    try:
        return {"value": action()}
    except _SHARED as error:
        kind = next(index for index, kind in enumerate(_SHARED) if isinstance(error, kind))
        return {"problem": error.problem, "remedy": error.remedy, "kind": kind}
    except OSError as error:
        remedy = "free space or repair the file system."
        kind = _SHARED.index(TransientStorageError if is_passing(error) else StorageError)
        return {"problem": f"{error}.", "remedy": remedy, "kind": kind}


def _raise_problem(outcome: Json, *, rank: int) -> None:
    if "problem" in outcome:
        kind = _SHARED[outcome["kind"]]
        raise kind(f"Rank {rank}: {outcome['problem']}", remedy=outcome["remedy"])
