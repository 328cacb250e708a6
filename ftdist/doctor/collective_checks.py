"""Correctness and bandwidth of collectives over all ranks, and of links between nodes.

Every function is collective: all ranks call it with the same arguments.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

import torch
import torch.distributed as dist
from torch import Tensor

from ftdist.dist.collectives import (
    all_gather_json,
    all_gather_single,
    max_over_ranks,
    reduce_scatter_single,
)
from ftdist.dist.world import World
from ftdist.doctor.measurements import Collective, Link

REPEATS = 5
PINGS = 20

ELEMENTS = {"cpu": 2**20, "cuda": 2**27}
"""float32 of one collective: 4 MiB, 512 MiB on GPUs."""

LINK_ELEMENTS = {"cpu": 2**19, "cuda": 2**26}
"""float32 of one message between two nodes: 2 MiB, 256 MiB on GPUs."""


@dataclass(frozen=True, kw_only=True)
class Member:
    """A rank and its node."""

    world: World
    host: str
    device: torch.device


def check_collectives(member: Member, hosts: Sequence[str]) -> list[Collective]:
    """Check and time all_reduce, all_gather and reduce_scatter over all ranks. Collective.

    Args:
        member: this rank.
        hosts: of all ranks, in their order.
    """
    size = member.world.size
    each = ELEMENTS[member.device.type] // size
    found = []
    for name, run in (
        ("all_reduce", _all_reduce),
        ("all_gather", _all_gather),
        ("reduce_scatter", _reduce_scatter),
    ):
        right = all_gather_json(run(member, each, 1)[1], world=member.world)
        seconds = [max_over_ranks(run(member, each, 0)[0]) for _ in range(REPEATS)]
        total = each * size * 4
        # nccl-tests: each byte crosses the slowest link (n-1)/n times, twice for all_reduce.
        crossings = (2 if name == "all_reduce" else 1) * (size - 1) / size
        found.append(
            Collective(
                name=name,
                wrong_hosts=tuple(sorted({h for h, r in zip(hosts, right, strict=True) if not r})),
                mib=total / 2**20,
                bus_gb_s=total * crossings / median(seconds) / 1e9,
            )
        )
    return found


def _all_reduce(member: Member, each: int, check: int) -> tuple[float, bool]:
    size = member.world.size
    data = _pattern(member, each * size, rank=member.world.rank)
    seconds = _timed(lambda: dist.all_reduce(data), member)
    expected = sum(_pattern(member, each * size, rank=rank) for rank in range(size if check else 0))
    return seconds, not check or bool(torch.equal(data, torch.as_tensor(expected)))


def _all_gather(member: Member, each: int, check: int) -> tuple[float, bool]:
    size = member.world.size
    mine, data = _pattern(member, each, rank=member.world.rank), _empty(member, each * size)
    seconds = _timed(lambda: all_gather_single(data, mine), member)
    right = not check or all(
        torch.equal(part, _pattern(member, each, rank=rank))
        for rank, part in enumerate(data.chunk(size))
    )
    return seconds, right


def _reduce_scatter(member: Member, each: int, check: int) -> tuple[float, bool]:
    rank, size = member.world.rank, member.world.size
    data, mine = _pattern(member, each * size, rank=rank), _empty(member, each)
    seconds = _timed(lambda: reduce_scatter_single(mine, data), member)
    if not check:
        return seconds, True
    expected = sum(
        _pattern(member, each * size, rank=other).chunk(size)[rank] for other in range(size)
    )
    return seconds, bool(torch.equal(mine, torch.as_tensor(expected)))


def _pattern(member: Member, length: int, *, rank: int) -> Tensor:
    """Small whole numbers that differ by rank and place, whose sums are exact in float32."""
    places = torch.arange(length, dtype=torch.float32, device=member.device)
    return torch.remainder(places, 251) + rank + 1


def _empty(member: Member, length: int) -> Tensor:
    return torch.empty(length, dtype=torch.float32, device=member.device)


def _timed(action: Callable[[], object], member: Member) -> float:
    """Seconds that an action takes once all ranks are ready. Collective."""
    dist.barrier()
    _synchronize(member)
    begin = time.perf_counter()
    action()
    _synchronize(member)
    return time.perf_counter() - begin


def _synchronize(member: Member) -> None:
    if member.device.type != "cpu":
        torch.accelerator.synchronize(member.device)


def check_links(member: Member, leaders: Sequence[int], hosts: Sequence[str]) -> list[Link]:
    """Time the traffic between every two nodes, in both directions. Collective.

    Args:
        member: this rank.
        leaders: the first rank of each node.
        hosts: of all ranks, in their order.

    Returns:
        The links, on every rank.
    """
    mine = []
    for pairs in rounds(len(leaders)):
        dist.barrier()
        for first, second in pairs:
            pair = (leaders[first], leaders[second])
            if member.world.rank in pair:
                mine += _check_pair(member, *pair, hosts=hosts)
    found = all_gather_json(mine, world=member.world)
    return [Link(**fields) for links in found for fields in links]


def rounds(nodes: int) -> list[list[tuple[int, int]]]:
    """Every pair of nodes once, in rounds in which each node has one partner at most."""
    places: list[int | None] = list(range(nodes))
    if nodes % 2:
        places.append(None)
    half, schedule = len(places) // 2, []
    for _ in range(len(places) - 1):
        opposite = zip(places[:half], reversed(places[half:]), strict=True)
        pairs = [(a, b) for a, b in opposite if a is not None and b is not None]
        schedule.append([(min(pair), max(pair)) for pair in pairs])
        places = [places[0], places[-1], *places[1:-1]]
    return schedule


def _check_pair(
    member: Member, first: int, second: int, *, hosts: Sequence[str]
) -> list[dict[str, object]]:
    """Both directions of one pair; the receiver of each reports it."""
    reports = []
    latency_us = _latency_us(member, first, second)
    for source, target in ((first, second), (second, first)):
        seconds, right = _send(member, source, target)
        if member.world.rank == target:
            size = LINK_ELEMENTS[member.device.type] * 4
            reports.append(
                {
                    "source": hosts[source],
                    "target": hosts[target],
                    "gb_s": size / seconds / 1e9,
                    "latency_us": latency_us,
                    "is_wrong": not right,
                }
            )
    return reports


def _latency_us(member: Member, first: int, second: int) -> float:
    """Half the median round trip of a few bytes, in microseconds."""
    data, times = _empty(member, 4), []
    for _ in range(PINGS):
        begin = time.perf_counter()
        if member.world.rank == first:
            dist.send(data, second)
            dist.recv(data, second)
        else:
            dist.recv(data, first)
            dist.send(data, first)
        _synchronize(member)
        times.append(time.perf_counter() - begin)
    return median(times) / 2 * 1e6


def _send(member: Member, source: int, target: int) -> tuple[float, bool]:
    """Median seconds from a request of the receiver to the arrival, and whether it is right."""
    length, times = LINK_ELEMENTS[member.device.type], []
    expected = _pattern(member, length, rank=source)
    data, request = _empty(member, length), _empty(member, 1)
    for _ in range(REPEATS):
        begin = time.perf_counter()
        if member.world.rank == source:
            dist.recv(request, target)
            dist.send(expected, target)
        else:
            dist.send(request, source)
            dist.recv(data, source)
        _synchronize(member)
        times.append(time.perf_counter() - begin)
    right = member.world.rank == source or bool(torch.equal(data, expected))
    return median(times), right
