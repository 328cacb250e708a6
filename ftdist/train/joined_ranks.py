"""The process of a rank: its threads, device, process group and signals."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ftdist.config.schema import RunConfig
from ftdist.dist.device import Device, open_device, use_deterministic_kernels
from ftdist.dist.preemption import StopRequest
from ftdist.dist.world import Rendezvous, World, process_group
from ftdist.observe.system_metrics import monitor_node
from ftdist.rundir import RunDir


@contextmanager
def joined_ranks(
    run: RunDir,
    config: RunConfig,
    world: World,
    *,
    device: Device,
    attempt: int,
    rendezvous: Rendezvous | None,
    timeout_s: float,
) -> Iterator[StopRequest]:
    """Prepare this process, join the other ranks, and listen for stop signals meanwhile.

    Args:
        run: of the ranks.
        config: of the run.
        world: of this process.
        device: of the ranks.
        attempt: of this start, from 1.
        rendezvous: where the ranks meet; None: at a file of the attempt.
        timeout_s: of collectives, until another limit is set, seconds.
    """
    _quiet_libraries()
    if config.train.deterministic:
        use_deterministic_kernels()
    torch.set_num_threads(config.cluster.threads)
    open_device(device, local_rank=world.local_rank, local_size=world.local_size)
    with (
        StopRequest.listening() as stop,
        process_group(
            world,
            rendezvous=rendezvous or run.attempt(attempt) / "rendezvous",
            device=device,
            timeout_s=timeout_s,
            init_timeout_s=config.cluster.init_timeout_s,
        ),
        monitor_node(
            run,
            world,
            attempt=attempt,
            every_s=config.tracking.system_every_s,
            gpus=device == "cuda",
        ),
    ):
        yield stop


def _quiet_libraries() -> None:
    """Hide warnings and logs below errors of other packages from the run's logs."""
    warnings.filterwarnings("ignore", category=FutureWarning)
    warnings.filterwarnings("ignore", category=UserWarning, module=r"(torch|deepspeed)\..*")
    for name in ("DeepSpeed", "transformers", "torch.distributed"):
        logging.getLogger(name).setLevel(logging.ERROR)
