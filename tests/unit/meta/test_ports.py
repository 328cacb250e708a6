"""What `tests.support.ports` holds for a test, no other process gets."""

import socket

import pytest

from tests.support.ports import reserved_port
from tests.support.wandb.loopback import WandbLoopback


def test_a_reserved_port_refuses_connections_and_other_servers() -> None:
    with reserved_port() as port:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", port))
        with socket.create_server(("127.0.0.1", port)) as server:
            assert server.getsockname() == ("127.0.0.1", port)


def test_a_stopped_wandb_loopback_keeps_its_port_and_answers_there_again() -> None:
    server = WandbLoopback()
    port = int(server.url.rpartition(":")[2])
    for _ in range(2):
        with server:
            socket.create_connection(("127.0.0.1", port)).close()
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", port))
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))
