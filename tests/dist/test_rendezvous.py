"""Only ranks that know the secret of the attempt meet: attacked by programs that do not."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from ftdist.dist.collectives import sum_over_ranks
from ftdist.dist.gate import Gate, accept_from, pass_gate
from ftdist.dist.rendezvous import Address, open_store
from ftdist.dist.world import World, process_group
from ftdist.errors import HangError
from tests.support.ranks import RunRanks

SECRET = "0123456789abcdef" * 4


@contextmanager
def _open_gate(*, count: int = 1, wait_s: float = 20.0) -> Iterator[tuple[Gate, int, int]]:
    """A gate on the loopback interface: itself, its port, and the port that it tells."""
    with (
        socket.create_server(("127.0.0.1", 0)) as store,
        socket.create_server(("127.0.0.1", 0)) as door,
    ):
        gate = Gate(store, secret=SECRET)
        deadline = time.monotonic() + wait_s
        admit = threading.Thread(
            target=gate.admit, args=(door,), kwargs={"count": count, "deadline": deadline}
        )
        admit.start()
        yield gate, door.getsockname()[1], store.getsockname()[1]
        gate.ranks |= set(range(count))
        admit.join()


def _ask(port: int, *, secret: str = SECRET, wait_s: float = 10.0) -> int | None:
    deadline = time.monotonic() + wait_s
    return pass_gate(("127.0.0.1", port), secret=secret, rank=1, deadline=deadline)


@pytest.mark.fault("S11", "XH")
def test_the_port_of_the_store_is_told_to_who_knows_the_secret_alone() -> None:
    with _open_gate() as (gate, door, store):
        assert _ask(door, secret=SECRET[::-1], wait_s=1.0) is None
        assert gate.ranks == set()
        assert _ask(door) == store
        assert gate.ranks == {1}


@pytest.mark.fault("S11", "XH")
def test_strangers_that_say_nothing_or_nonsense_keep_no_rank_waiting() -> None:
    with _open_gate() as (gate, door, store):
        strangers = [socket.create_connection(("127.0.0.1", door)) for _ in range(20)]
        for stranger in strangers[:10]:
            stranger.sendall(b"GET / HTTP/1.1\r\n" + bytes(200))
        assert _ask(door) == store
        assert gate.ranks == {1}
        for stranger in strangers:
            stranger.close()


@pytest.mark.fault("S11", "XH")
def test_a_program_that_took_the_port_of_the_gate_learns_nothing_and_is_not_believed() -> None:
    heard = []
    with socket.create_server(("127.0.0.1", 0)) as false_gate:

        def answer() -> None:
            connection, _ = false_gate.accept()
            with connection:
                connection.sendall(bytes(32))
                heard.append(connection.recv(4096))
                connection.sendall(bytes(2 + 32))

        threading.Thread(target=answer, daemon=True).start()
        assert _ask(false_gate.getsockname()[1], wait_s=2.0) is None
    assert len(heard[0]) == 4 + 32 + 32
    assert SECRET.encode() not in heard[0]


@pytest.mark.fault("S11", "XH")
def test_the_kernel_drops_what_comes_from_hosts_without_a_rank() -> None:
    def reaches(port: int, source: str) -> bool:
        try:
            socket.create_connection(("127.0.0.1", port), 1.5, (source, 0)).close()
        except TimeoutError:
            return False
        return True

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert reaches(port, "127.0.0.2")
        accept_from(listener, {"127.0.0.1", "10.1.2.3"})
        assert reaches(port, "127.0.0.1")
        assert not reaches(port, "127.0.0.2")
        accept_from(listener, {"127.0.0.1", "127.0.0.2"})
        assert reaches(port, "127.0.0.2")


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
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    said = run_ranks(2, _meet, port, [SECRET, "f" * 64], group=False)
    assert "not all joined: 1 of them came" in str(said[0])
    assert "rank 0 is not there, or is of another attempt" in str(said[1])


def _listening(world: World, port: int) -> list[str]:
    address = Address(host="localhost", port=port, secret=SECRET)
    store = open_store(address, rank=world.rank, size=1, local_size=1, timeout_s=20)
    own = psutil.Process().net_connections("tcp")
    return [c.laddr.ip for c in own if c.status == "LISTEN" and c.laddr.port == store.port]


@pytest.mark.fault("S11", "XH")
def test_the_store_listens_on_the_interface_of_the_job_alone(run_ranks: RunRanks) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    assert run_ranks(1, _listening, port, group=False) == [["127.0.0.1"]]
