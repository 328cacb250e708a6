"""Only ranks that know the secret of the attempt meet: attacked by programs that do not."""

import errno
import ipaddress
import os
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psutil
import pytest

from ftdist.dist.collectives import sum_over_ranks
from ftdist.dist.handshake import HandshakeServer, request_store, restrict_to_hosts
from ftdist.dist.rendezvous import Address, open_store
from ftdist.dist.world import World, process_group
from ftdist.errors import HangError
from tests.support.ports import reserved_port
from tests.support.ranks import RunRanks

SECRET = "0123456789abcdef" * 4


@contextmanager
def _serving(*, count: int = 1, wait_s: float = 20.0) -> Iterator[tuple[HandshakeServer, int, int]]:
    """A server on the loopback interface: itself, its port, and the port that it tells."""
    with (
        socket.create_server(("127.0.0.1", 0)) as store,
        socket.create_server(("127.0.0.1", 0)) as listener,
    ):
        server = HandshakeServer(store, secret=SECRET)
        deadline = time.monotonic() + wait_s
        serving = threading.Thread(
            target=server.serve, args=(listener,), kwargs={"count": count, "deadline": deadline}
        )
        port = listener.getsockname()[1]
        serving.start()
        try:
            yield server, port, store.getsockname()[1]
        finally:
            server.ranks |= set(range(count))
            serving.join()


def _ask(port: int, *, secret: str = SECRET, wait_s: float = 10.0, rank: int = 1) -> int | None:
    deadline = time.monotonic() + wait_s
    store = request_store(("127.0.0.1", port), secret=secret, rank=rank, deadline=deadline)
    return None if store is None else store[1]


@pytest.mark.fault("S11", "XH")
def test_the_port_of_the_store_is_told_to_who_knows_the_secret_alone() -> None:
    with _serving() as (server, port, store):
        assert _ask(port, secret=SECRET[::-1], wait_s=1.0) is None
        assert server.ranks == set()
        assert _ask(port) == store
        assert server.ranks == {1}


@pytest.mark.fault("S11", "XH")
def test_strangers_that_say_nothing_or_nonsense_keep_no_rank_waiting() -> None:
    with _serving() as (server, port, store):
        strangers = [socket.create_connection(("127.0.0.1", port)) for _ in range(200)]
        for stranger in strangers[:100]:
            stranger.sendall(b"GET / HTTP/1.1\r\n" + bytes(200))
        assert _ask(port, wait_s=5.0) == store  # a stranger has 10 s
        assert server.ranks == {1}
        for stranger in strangers:
            stranger.close()


@pytest.mark.fault("S11", "XH")
def test_a_program_that_took_the_port_learns_nothing_and_is_not_believed() -> None:
    heard = []
    with socket.create_server(("127.0.0.1", 0)) as impostor:

        def answer() -> None:
            connection, _ = impostor.accept()
            with connection:
                connection.sendall(bytes(32))
                heard.append(connection.recv(4096))
                connection.sendall(bytes(2 + 32))

        threading.Thread(target=answer, daemon=True).start()
        assert _ask(impostor.getsockname()[1], wait_s=2.0) is None
    assert len(heard[0]) == 4 + 32 + 32
    assert SECRET.encode() not in heard[0]


def _reaches(port: int, source: str) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1.5, (source, 0)).close()
    except TimeoutError:
        return False
    return True


@pytest.mark.fault("S11", "XH")
def test_the_kernel_drops_what_comes_from_hosts_without_a_rank() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert _reaches(port, "127.0.0.2")
        restrict_to_hosts(listener, {"127.0.0.1", "10.1.2.3"})
        assert _reaches(port, "127.0.0.1")
        assert not _reaches(port, "127.0.0.2")
        restrict_to_hosts(listener, {"127.0.0.1", "127.0.0.2"})
        assert _reaches(port, "127.0.0.2")


@pytest.mark.fault("S11")
@pytest.mark.parametrize(
    ("count", "every", "reached", "dropped"),
    [
        (254, 1, "127.1.0.253", "127.1.0.254"),  # one by one
        (255, 1, "127.1.0.255", "127.1.1.0"),  # their one /24 network
        (2100, 1, "127.1.8.255", "127.1.9.0"),  # 2,100 = 8 x 256 + 52: networks 127.1.0 to 127.1.8
        (
            255,
            256,
            "127.1.255.0",
            "127.2.0.0",
        ),  # one in each of 255 networks: their one /16 network
    ],
)
def test_a_store_takes_every_host_of_a_large_cluster_and_no_other_network(
    count: int, every: int, reached: str, dropped: str
) -> None:
    first = int(ipaddress.IPv4Address("127.1.0.0"))
    hosts = {str(ipaddress.IPv4Address(first + index * every)) for index in range(count)}
    with socket.create_server(("127.0.0.1", 0)) as listener:
        restrict_to_hosts(listener, {"10.0.0.1"})
        restrict_to_hosts(listener, hosts)
        port = listener.getsockname()[1]
        assert _reaches(port, max(hosts, key=ipaddress.IPv4Address))
        assert _reaches(port, reached)
        assert not _reaches(port, dropped)


class _NoFilter(socket.socket):
    """A socket of which the kernel takes no filter, as where memory for its options is short."""

    def setsockopt(self, level: int, option: int, value: Any) -> None:  # type: ignore[override]
        if option == 26:
            raise OSError(errno.ENOMEM, "Cannot allocate memory")
        super().setsockopt(level, option, value)


@pytest.mark.fault("S11")
def test_a_filter_that_the_kernel_refuses_shuts_no_rank_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        restrict_to_hosts(listener, {"127.0.0.1"})
        port = listener.getsockname()[1]
        assert not _reaches(port, "127.0.0.2")
        with _NoFilter(fileno=os.dup(listener.fileno())) as refusing:
            restrict_to_hosts(refusing, {"127.0.0.1", "127.0.0.2"})
        assert _reaches(port, "127.0.0.2")


@pytest.mark.fault("S11")
def test_ranks_of_one_host_change_its_filter_once_and_500_join_in_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    filters = []
    monkeypatch.setattr(
        "ftdist.dist.handshake.restrict_to_hosts", lambda _, hosts: filters.append(len(hosts))
    )
    monkeypatch.setattr("ftdist.dist.handshake._own_addresses", set)
    with _serving(count=1000, wait_s=60.0) as (server, port, store):
        with ThreadPoolExecutor(8) as pool:
            ports = set(pool.map(lambda rank: _ask(port, rank=rank), range(500)))
        assert ports == {store}
        assert server.ranks == set(range(500))
    assert filters == [0, 1]


def _meet(world: World, port: int, secrets: list[str]) -> float | str:
    address = Address(host="localhost", port=port, secret=secrets[world.rank])
    world = World(rank=world.rank, size=2, local_rank=world.rank, local_size=2)
    try:
        with process_group(world, rendezvous=address, device="cpu", timeout_s=8):
            return sum_over_ranks([float(world.rank + 1)])[0]
    except HangError as error:
        return str(error)


@pytest.mark.fault("S11", "XH")
def test_a_rank_of_another_attempt_does_not_join(run_ranks: RunRanks) -> None:
    with reserved_port() as port:
        said = run_ranks(2, _meet, port, [SECRET, "f" * 64], group=False)
    assert "not all joined: 1 of them came" in str(said[0])
    assert "rank 0 is not there, or is of another attempt" in str(said[1])


def _listening(world: World, port: int) -> list[str]:
    address = Address(host="localhost", port=port, secret=SECRET)
    store = open_store(address, rank=world.rank, size=1, local_size=1, timeout_s=20)
    own = psutil.Process().net_connections("tcp")
    return [c.laddr.ip for c in own if c.status == "LISTEN" and c.laddr.port == store.port]


@pytest.mark.fault("S11", "XH")
def test_the_store_of_one_nodes_ranks_listens_on_its_loopback_interface_alone(
    run_ranks: RunRanks,
) -> None:
    with reserved_port() as port:
        assert run_ranks(1, _listening, port, group=False) == [["127.0.0.1"]]


def _meet_as_two_nodes(world: World, port: int, hosts: list[str]) -> bytes:
    """What rank 0 put into the store: its name leads each rank to another of its addresses."""
    address = Address(host=hosts[world.rank], port=port, secret=SECRET)
    store = open_store(address, rank=world.rank, size=2, local_size=1, timeout_s=30)
    store.set(f"from {world.rank}", "here")
    found: bytes = store.get(f"from {1 - world.rank}")
    return found


@pytest.mark.fault("S11")
def test_ranks_meet_where_a_name_leads_to_another_address_on_rank_0s_node(
    run_ranks: RunRanks,
) -> None:
    addresses = [a for each in psutil.net_if_addrs().values() for a in each]
    own = [a.address for a in addresses if a.family == socket.AF_INET]
    other = next((address for address in own if not address.startswith("127.")), None)
    if other is None:
        pytest.skip("this machine has no network")
    hosts = [other, "localhost"]
    with reserved_port("") as port:
        assert run_ranks(2, _meet_as_two_nodes, port, hosts, group=False) == [b"here", b"here"]
