"""The time limit of collectives."""

from datetime import timedelta

from torch.distributed import distributed_c10d


def set_collective_timeout(seconds: float) -> None:
    """Set the time limit of every later collective of this rank, in all its process groups."""
    for group in list(distributed_c10d._world.pg_map):
        if not distributed_c10d._rank_not_in_group(group):
            distributed_c10d._set_pg_timeout(timedelta(seconds=seconds), group)
