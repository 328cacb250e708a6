"""This process's rank, and the process group."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed

from ftdist.dist.device import backend_of, torch_device
from ftdist.dist.rendezvous import Address, not_joined, open_store
from ftdist.errors import HangError


@dataclass(frozen=True, kw_only=True)
class World:
    """This process's rank among its peers: read once at start, then passed as a value."""

    rank: int
    size: int
    local_rank: int
    local_size: int
    sequence_parallel_size: int = 1
    """Neighbouring ranks that share each row of tokens."""

    @property
    def data_parallel_size(self) -> int:
        """Groups of ranks that each compute rows of their own."""
        return self.size // self.sequence_parallel_size

    @property
    def data_parallel_rank(self) -> int:
        """Which of these groups this rank is in."""
        return self.rank // self.sequence_parallel_size

    @property
    def sequence_parallel_rank(self) -> int:
        """Which part of its group's rows this rank computes, counted from 0."""
        return self.rank % self.sequence_parallel_size

    @property
    def is_rank0(self) -> bool:
        """Whether this rank decides, writes and logs for all."""
        return self.rank == 0


Rendezvous = Path | Address
"""A file that all ranks of one machine see, which needs no port; or an address on the network."""


@contextmanager
def process_group(
    world: World,
    *,
    rendezvous: Rendezvous,
    device: str,
    timeout_s: float,
    init_timeout_s: float | None = None,
) -> Iterator[None]:
    """Join the other ranks for the length of a `with` block. Collective.

    A collective that some rank never joins ends in an error after `timeout_s`.

    Args:
        world: this rank.
        rendezvous: an address, or a path that no earlier group used, in a folder that exists.
        device: "cpu" or "cuda".
        timeout_s: seconds to wait for peers in every later collective.
        init_timeout_s: seconds to wait for them here; None: as long as later.

    Raises:
        HangError: some rank did not join in time.
    """
    patience_s = init_timeout_s or timeout_s
    try:
        store = _store(world, rendezvous, patience_s=patience_s)
        torch.distributed.init_process_group(
            backend=backend_of(device),
            store=store,
            rank=world.rank,
            world_size=world.size,
            timeout=timedelta(seconds=timeout_s),
            # With it NCCL connects now, so that its errors come here, and groups are split off.
            device_id=torch_device("cuda", local_rank=world.local_rank)
            if device == "cuda"
            else None,
        )
    except RuntimeError as error:
        problem = _joining_problem(error, world, rendezvous, patience_s=patience_s)
        if problem is None:
            raise
        raise problem from error
    yield
    # Not after an error: the others may never come here, and the process ends anyway.
    torch.distributed.destroy_process_group()


def _joining_problem(
    error: RuntimeError, world: World, rendezvous: Rendezvous, *, patience_s: float
) -> HangError | None:
    """Why ranks did not meet, as far as torch's error tells it."""
    message = str(error).splitlines()[0] if str(error) else type(error).__name__
    if "time" not in message.lower():
        return None
    address = rendezvous if isinstance(rendezvous, Address) else None
    problem = message.rstrip(".")
    return not_joined(address, problem, rank=world.rank, size=world.size, timeout_s=patience_s)


def _store(world: World, rendezvous: Rendezvous, *, patience_s: float) -> Any:
    if isinstance(rendezvous, Address):
        return open_store(
            rendezvous,
            rank=world.rank,
            size=world.size,
            local_size=world.local_size,
            timeout_s=patience_s,
        )
    # A store, not a URL: in a URL a path ends at its first # or ?.
    return torch.distributed.FileStore(str(rendezvous), world.size)  # type: ignore[attr-defined]
