"""Where ranks of several nodes meet: a store that only ranks of this attempt get to.

torch's store has no authentication: whoever reaches its port may read and change what is in it.
Here only an authenticated handshake tells its port, and the kernel drops what comes from hosts
without a rank (`ftdist.dist.handshake`).

Other users on the nodes of the job can still reach the store. They could disturb the run, not make
it execute anything: no object travels between ranks as a pickle.
"""

import errno
import os
import socket
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import torch.distributed

from ftdist.dist.handshake import BACKLOG, HandshakeServer, request_store
from ftdist.errors import HangError

_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, kw_only=True)
class Address:
    """Where ranks of several nodes do the handshake: rank 0 listens there."""

    host: str
    port: int
    secret: str = field(repr=False)
    """Known to the ranks of this attempt only."""


def open_store(address: Address, *, rank: int, size: int, local_size: int, timeout_s: float) -> Any:
    """The store of the ranks, once all of them are there. Collective.

    Args:
        address: of the handshake.
        rank: of this process.
        size: number of ranks.
        local_size: ranks per node.
        timeout_s: seconds to wait for the others.

    Raises:
        HangError: some rank did not come, or another program uses the port.
    """
    deadline = time.monotonic() + timeout_s
    # Ranks of one node need no network.
    host = _LOOPBACK if size == local_size else address.host
    if rank:
        place = (host, address.port)
        store_at = request_store(place, secret=address.secret, rank=rank, deadline=deadline)
        if store_at is None:
            problem = "rank 0 is not there, or is of another attempt"
            raise not_joined(address, problem, rank=rank, size=size, timeout_s=timeout_s)
        return _store(*store_at, size=size, timeout_s=timeout_s)
    with (
        _listen(host, 0, name=address.host) as store_listener,
        _listen(host, address.port, name=address.host) as listener,
    ):
        server = HandshakeServer(store_listener, secret=address.secret)
        port = store_listener.getsockname()[1]
        # torch closes the descriptor that it gets.
        descriptor = os.dup(store_listener.fileno())
        store = _store(_LOOPBACK, port, size=size, timeout_s=timeout_s, fd=descriptor)
        server.serve(listener, count=size - 1, deadline=deadline)
    if len(server.ranks) < size - 1:
        problem = f"{len(server.ranks) + 1} of them came"
        raise not_joined(address, problem, rank=rank, size=size, timeout_s=timeout_s)
    return store


def not_joined(
    address: Address | None, problem: str, *, rank: int, size: int, timeout_s: float
) -> HangError:
    """The error of a rank to which not all others came, at an address or on one machine."""
    place = f" at {address.host}:{address.port}" if address else ""
    return HangError(
        f"Rank {rank} on {socket.gethostname()} waited {timeout_s:.0f} s for {size} ranks{place}, "
        f"and not all joined: {problem}.",
        remedy="look for the rank that failed first; if nodes cannot reach each other, set "
        "cluster.network_interface; raise cluster.init_timeout_s if they are slow to start.",
    )


def _store(host: str, port: int, *, size: int, timeout_s: float, fd: int | None = None) -> Any:
    return torch.distributed.TCPStore(  # type: ignore[attr-defined]
        host,
        port,
        world_size=size,
        is_master=fd is not None,
        timeout=timedelta(seconds=timeout_s),
        wait_for_workers=False,
        master_listen_fd=fd,
    )


def _listen(host: str, port: int, *, name: str) -> socket.socket:
    """A listening socket: on the loopback interface if that is the host, else on all interfaces.

    Peers may reach this node by another address than the one that its name has here.

    Args:
        host: the name or address by which ranks come.
        port: 0 for a free one.
        name: of the host, for messages.

    Raises:
        HangError: another program uses the port.
    """
    interface = _LOOPBACK if host == _LOOPBACK else ""
    try:
        if _has_ipv4(host) or not socket.has_dualstack_ipv6():
            return socket.create_server((interface, port), backlog=BACKLOG)
        family = socket.AF_INET6
        return socket.create_server(
            (interface, port), family=family, backlog=BACKLOG, dualstack_ipv6=True
        )
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        raise HangError(
            f"Port {port} of {name} is used by another program.",
            remedy="start the run again for another port, or set cluster.master_port.",
        ) from None


def _has_ipv4(host: str) -> bool:
    with suppress(OSError):
        socket.gethostbyname(host)
        return True
    return False
