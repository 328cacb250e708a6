"""How ranks meet, and what is said when they do not."""

import socket
import time
from collections.abc import Iterator

import pytest

from ftdist.dist.collectives import sum_over_ranks
from ftdist.dist.rendezvous import Address
from ftdist.dist.world import World, process_group
from ftdist.errors import HangError
from tests.support.ports import reserved_port
from tests.support.ranks import RunRanks


def meet(world: World, size: int, port: int, init_timeout_s: float) -> float | str:
    place = Address(host="localhost", port=port, secret="s" * 64)
    world = World(rank=world.rank, size=size, local_rank=world.rank, local_size=size)
    try:
        with process_group(
            world,
            rendezvous=place,
            device="cpu",
            timeout_s=60,
            init_timeout_s=init_timeout_s,
        ):
            return sum_over_ranks([float(world.rank + 1)])[0]
    except HangError as error:
        return str(error)


def meet_late(world: World, port: int) -> float | str:
    if world.rank == 1:
        time.sleep(6.0)
    return meet(world, 2, port, 60.0)


@pytest.fixture
def port() -> Iterator[int]:
    with reserved_port() as port:
        yield port


def test_ranks_rendezvous_at_the_address_of_rank_0(run_ranks: RunRanks, port: int) -> None:
    assert run_ranks(3, meet, 3, port, 60.0, group=False) == [6.0, 6.0, 6.0]


@pytest.mark.fault("L14")
def test_ranks_wait_for_a_slow_node(run_ranks: RunRanks, port: int) -> None:
    assert run_ranks(2, meet_late, port, group=False) == [3.0, 3.0]


@pytest.mark.fault("L14")
def test_missing_rank_is_reported_with_the_address(run_ranks: RunRanks, port: int) -> None:
    (output,) = run_ranks(1, meet, 2, port, 3.0, group=False)
    assert isinstance(output, str)
    assert f"waited 3 s for 2 ranks at localhost:{port}, and not all joined" in output
    assert "cluster.network_interface" in output


@pytest.mark.fault("L14")
def test_port_in_use_is_reported(run_ranks: RunRanks) -> None:
    with socket.create_server(("", 0)) as other:
        port = int(other.getsockname()[1])
        (output,) = run_ranks(1, meet, 2, port, 10.0, group=False)
    assert isinstance(output, str)
    assert f"Port {port} of localhost is used" in output
