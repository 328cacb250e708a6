"""The authenticated handshake by which ranks learn the port of their store.

Both sides prove by an HMAC over numbers that both chose that they know the secret of the attempt,
which is never sent. The kernel drops what comes to the store from hosts without such a rank.
"""

import asyncio
import ctypes
import hmac
import ipaddress
import secrets
import socket
import struct
import time
from contextlib import closing, suppress

import psutil

KEY = "FTDIST_RENDEZVOUS_KEY"
"""Environment variable of a job: the secret of its ranks, another one at each start."""

BACKLOG = 4096
"""Connections that may wait to be accepted, as far as the kernel allows."""

_NONCE_BYTES = _DIGEST_BYTES = 32
_HANDSHAKE_S = 10.0
_RETRY_S = 0.2


class HandshakeServer:
    """Rank 0's side.

    Args:
        store: the listening socket of the store.
        secret: of the attempt.
    """

    def __init__(self, store: socket.socket, *, secret: str) -> None:
        self._store, self._secret = store, secret
        self._hosts = _own_addresses()
        self.ranks: set[int] = set()
        """Those that proved that they know the secret."""
        restrict_to_hosts(store, self._hosts)

    def serve(self, listener: socket.socket, *, count: int, deadline: float) -> None:
        """Authenticate ranks until there are `count`, or until `deadline` (of `time.monotonic`)."""
        asyncio.run(self._serve(listener, count=count, deadline=deadline))

    async def _serve(self, listener: socket.socket, *, count: int, deadline: float) -> None:
        server = await asyncio.start_server(self._answer, sock=listener, backlog=BACKLOG)
        while len(self.ranks) < count and time.monotonic() < deadline:
            await asyncio.sleep(_RETRY_S)
        server.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A stranger that says nothing keeps nobody waiting; at the end it is dropped silently.
        dropped = (OSError, EOFError, TimeoutError, asyncio.CancelledError)
        with suppress(*dropped), closing(writer):
            await asyncio.wait_for(self._authenticate(reader, writer), _HANDSHAKE_S)

    async def _authenticate(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        writer.write(nonce)
        hello = await reader.readexactly(4 + _NONCE_BYTES)
        proof = await reader.readexactly(_DIGEST_BYTES)
        if not hmac.compare_digest(proof, _proof(self._secret, b"rank", nonce + hello)):
            return
        host = writer.get_extra_info("peername")[0].removeprefix("::ffff:")
        if host not in self._hosts:  # most ranks share their host with others
            self._hosts.add(host)
            restrict_to_hosts(self._store, self._hosts)
        port = struct.pack("!H", self._store.getsockname()[1])
        self.ranks.add(struct.unpack("!I", hello[:4])[0])
        writer.write(port + _proof(self._secret, b"store", nonce + hello + port))
        await writer.drain()


def request_store(
    server: tuple[str, int], *, secret: str, rank: int, deadline: float
) -> tuple[str, int] | None:
    """Another rank's side: the store's address and port; None: no answer until `deadline`.

    Args:
        server: name or address of rank 0's host, and port of its handshake.
        secret: of the attempt.
        rank: of this process.
        deadline: of `time.monotonic`.
    """
    while time.monotonic() < deadline:
        with suppress(OSError, EOFError):
            if (store := _shake_hands(server, secret=secret, rank=rank)) is not None:
                return store
        time.sleep(_RETRY_S)
    return None


def _shake_hands(server: tuple[str, int], *, secret: str, rank: int) -> tuple[str, int] | None:
    with socket.create_connection(server, timeout=_HANDSHAKE_S) as connection:
        nonce = _receive(connection, _NONCE_BYTES)
        hello = struct.pack("!I", rank) + secrets.token_bytes(_NONCE_BYTES)
        connection.sendall(hello + _proof(secret, b"rank", nonce + hello))
        port = _receive(connection, 2)
        proof = _receive(connection, _DIGEST_BYTES)
        if not hmac.compare_digest(proof, _proof(secret, b"store", nonce + hello + port)):
            return None
        # A name may have several addresses: by another one we would come from another of ours.
        return connection.getpeername()[0], int(struct.unpack("!H", port)[0])


def _proof(secret: str, role: bytes, hello: bytes) -> bytes:
    return hmac.digest(secret.encode(), role + hello, "sha256")


def _receive(connection: socket.socket, size: int) -> bytes:
    received = b""
    while len(received) < size:
        part = connection.recv(size - len(received))
        if not part:
            raise EOFError
        received += part
    return received


def _own_addresses() -> set[str]:
    return {
        address.address
        for addresses in psutil.net_if_addrs().values()
        for address in addresses
        if address.family == socket.AF_INET
    }


_SO_ATTACH_FILTER, _SO_DETACH_FILTER = 26, 27
_MAX_NETWORKS = 254
"""A jump of the filter's language reaches 255 instructions."""


def restrict_to_hosts(listener: socket.socket, hosts: set[str]) -> None:
    """Have the kernel drop what comes to a socket, and to its connections, from other IPv4 hosts.

    Of more than 254 hosts their /24 networks are let through, of more networks those of /16, and
    so on. A socket of IPv6 takes no filter.
    """
    if listener.family != socket.AF_INET:
        return
    mask, networks = _networks(hosts)
    source = 2**32 - 0x100000 + 12  # of the sender's address in the header of IP
    program = [struct.pack("HBBI", 0x20, 0, 0, source), struct.pack("HBBI", 0x54, 0, 0, mask)]
    for left, network in zip(reversed(range(len(networks))), networks, strict=True):
        # If it is this one, jump behind the instruction that drops the packet.
        program.append(struct.pack("HBBI", 0x15, left + 1, 0, network))
    program += [struct.pack("HBBI", 6, 0, 0, 0), struct.pack("HBBI", 6, 0, 0, 2**18)]
    code = ctypes.create_string_buffer(b"".join(program))
    fields = struct.pack("HL", len(program), ctypes.addressof(code))
    with suppress(OSError):
        try:
            listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, fields)
        except OSError:  # rather none than an earlier one, which drops what comes from new hosts
            listener.setsockopt(socket.SOL_SOCKET, _SO_DETACH_FILTER, 0)


def _networks(hosts: set[str]) -> tuple[int, list[int]]:
    """A mask, and the networks of hosts that it leaves: as narrow ones as a filter holds."""
    addresses = [int(ipaddress.IPv4Address(host)) for host in hosts if ":" not in host]
    for prefix in (32, 24, 16, 8):
        mask = (2**32 - 1) ^ (2 ** (32 - prefix) - 1)
        networks = {address & mask for address in addresses}
        if len(networks) <= _MAX_NETWORKS:
            break
    return mask, sorted(networks)
