"""Ports of this machine that no other process can take."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager


def reserve(host: str = "127.0.0.1") -> socket.socket:
    """A socket that holds a free port, and does not listen.

    Until a server of the test listens there, and after it has closed, connections are refused.
    The server needs SO_REUSEADDR: `http.server`, asyncio and `socket.create_server` set it.

    Args:
        host: the address; "" for all of this machine's.
    """
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind((host, 0))
    return held


@contextmanager
def reserved_port(host: str = "127.0.0.1") -> Iterator[int]:
    """A port that is reserved within the block; see `reserve`."""
    with reserve(host) as held:
        yield int(held.getsockname()[1])
