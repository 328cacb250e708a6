"""The gate of the ranks' store: it gives the port to whoever proves to know a secret.

Both sides prove it by an HMAC over numbers that both chose; the secret itself is never sent. The
store's socket drops what comes from hosts of which no rank was admitted.
"""

import ctypes
import hmac
import secrets
import socket
import struct
import threading
import time
from contextlib import suppress

import psutil

KEY = "FTDIST_RENDEZVOUS_KEY"
"""Environment variable of a job: the secret of its ranks, another one at each start."""

_NONCE_BYTES = _DIGEST_BYTES = 32
_HANDSHAKE_S = 10.0
_RETRY_S = 0.2
_SO_ATTACH_FILTER = 26


class Gate:
    """Rank 0's side.

    Args:
        store: the listening socket of the store.
        secret: of the attempt.
    """

    def __init__(self, store: socket.socket, *, secret: str) -> None:
        self._store, self._secret = store, secret
        self._lock = threading.Lock()
        self._hosts = _own_addresses()
        self.ranks: set[int] = set()
        accept_from(store, self._hosts)

    def admit(self, listener: socket.socket, *, count: int, deadline: float) -> None:
        """Let ranks in until there are `count`, or until `deadline` (of `time.monotonic`)."""
        while len(self.ranks) < count and time.monotonic() < deadline:
            listener.settimeout(_RETRY_S)
            with suppress(TimeoutError):
                connection, _ = listener.accept()
                # A stranger that says nothing keeps nobody waiting.
                threading.Thread(target=self._greet, args=(connection,), daemon=True).start()

    def _greet(self, connection: socket.socket) -> None:
        with suppress(OSError, EOFError), connection:
            connection.settimeout(_HANDSHAKE_S)
            nonce = secrets.token_bytes(_NONCE_BYTES)
            connection.sendall(nonce)
            hello = _receive(connection, 4 + _NONCE_BYTES)
            proof = _receive(connection, _DIGEST_BYTES)
            if not hmac.compare_digest(proof, _proof(self._secret, b"rank", nonce + hello)):
                return
            with self._lock:
                self._hosts.add(connection.getpeername()[0].removeprefix("::ffff:"))
                accept_from(self._store, self._hosts)
            port = struct.pack("!H", self._store.getsockname()[1])
            connection.sendall(port + _proof(self._secret, b"store", nonce + hello + port))
            with self._lock:
                self.ranks.add(struct.unpack("!I", hello[:4])[0])


def pass_gate(place: tuple[str, int], *, secret: str, rank: int, deadline: float) -> int | None:
    """Another rank's side: the port of the store, or None if nobody told it until `deadline`."""
    while time.monotonic() < deadline:
        with suppress(OSError, EOFError):
            if (port := _ask(place, secret=secret, rank=rank)) is not None:
                return port
        time.sleep(_RETRY_S)
    return None


def _ask(place: tuple[str, int], *, secret: str, rank: int) -> int | None:
    with socket.create_connection(place, timeout=_HANDSHAKE_S) as connection:
        nonce = _receive(connection, _NONCE_BYTES)
        hello = struct.pack("!I", rank) + secrets.token_bytes(_NONCE_BYTES)
        connection.sendall(hello + _proof(secret, b"rank", nonce + hello))
        port = _receive(connection, 2)
        proof = _receive(connection, _DIGEST_BYTES)
        is_ours = hmac.compare_digest(proof, _proof(secret, b"store", nonce + hello + port))
        return int(struct.unpack("!H", port)[0]) if is_ours else None


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


def accept_from(listener: socket.socket, hosts: set[str]) -> None:
    """Have the kernel drop what comes to a socket, and to its connections, from other IPv4 hosts.

    A socket of IPv6 takes no filter, nor does one of too many hosts.
    """
    if listener.family != socket.AF_INET:
        return
    source = 2**32 - 0x100000 + 12  # of the sender's address in the header of IP
    program = [struct.pack("HBBI", 0x20, 0, 0, source)]
    for host in sorted(filter(_is_ipv4, hosts)):
        (address,) = struct.unpack("!I", socket.inet_aton(host))
        # If it is this one, accept the packet; else look at the next.
        program += [struct.pack("HBBI", 0x15, 0, 1, address), struct.pack("HBBI", 6, 0, 0, 2**18)]
    program.append(struct.pack("HBBI", 6, 0, 0, 0))
    code = ctypes.create_string_buffer(b"".join(program))
    with suppress(OSError):
        fields = struct.pack("HL", len(program), ctypes.addressof(code))
        listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, fields)


def _is_ipv4(host: str) -> bool:
    with suppress(OSError):
        socket.inet_pton(socket.AF_INET, host)
        return True
    return False
