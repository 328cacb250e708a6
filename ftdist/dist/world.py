"""This process's place among its peers, and how the peers find each other."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed

from ftdist.dist.device import backend_of
from ftdist.errors import HangError


@dataclass(frozen=True, kw_only=True)
class World:
    """This process's place among its peers: read once at start, then passed as a value."""

    rank: int
    size: int
    local_rank: int
    local_size: int

    @property
    def is_lead(self) -> bool:
        """Whether this rank decides, writes and speaks for all."""
        return self.rank == 0


def init_process_group(world: World, *, rendezvous: Path, device: str, timeout_s: float) -> None:
    """Meet the other ranks through a file that all of them see. Collective.

    A file needs no port to be guessed and no name to be resolved. A collective that some rank
    never joins ends in an error after `timeout_s`.

    Args:
        world: this rank.
        rendezvous: a path that no earlier group used, in a folder that exists.
        device: "cpu" or "cuda".
        timeout_s: seconds to wait for peers, here and in every later collective.

    Raises:
        HangError: some rank did not come in time.
    """
    try:
        # A store, not a URL: in a URL a path ends at its first # or ?.
        torch.distributed.init_process_group(
            backend=backend_of(device),
            store=torch.distributed.FileStore(str(rendezvous), world.size),  # type: ignore[attr-defined]
            rank=world.rank,
            world_size=world.size,
            timeout=timedelta(seconds=timeout_s),
        )
    except (torch.distributed.DistStoreError, RuntimeError) as error:
        if "time" not in str(error).lower():
            raise
        raise HangError(
            f"Rank {world.rank} waited {timeout_s:.0f} s for {world.size} ranks and not all came: "
            f"{str(error).splitlines()[0]}",
            remedy="look for the rank that failed first; raise cluster.collective_timeout_s if the "
            "machine is slow to start.",
        ) from error


@contextmanager
def process_group(
    world: World, *, rendezvous: Path, device: str, timeout_s: float
) -> Iterator[None]:
    """A process group for the length of a `with` block. Collective."""
    init_process_group(world, rendezvous=rendezvous, device=device, timeout_s=timeout_s)
    yield
    # Not after an error: the others may never come here, and the process ends anyway.
    torch.distributed.destroy_process_group()
