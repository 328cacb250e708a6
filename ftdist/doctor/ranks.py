"""One rank of `ftdist doctor --nodes N`: `python -m ftdist.doctor.ranks FOLDER CACHE`.

Under srun the rank comes from SLURM's variables; elsewhere from FTDIST_DOCTOR_RANK, of two
processes that meet through a file in FOLDER. Rank 0 writes the result.
"""

import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from ftdist.dist.collectives import all_gather_json
from ftdist.dist.device import backend_of, choose_device, torch_device, use_device
from ftdist.dist.gemm import measure_gemm_tflops
from ftdist.dist.handshake import KEY
from ftdist.dist.rendezvous import Address
from ftdist.dist.world import Rendezvous, World, process_group
from ftdist.doctor.collective_checks import Member, check_collectives, check_links
from ftdist.doctor.gpu_health import read_gpus
from ftdist.doctor.measurements import ERROR, STARTED, Measurements, NodeSpeed, write_measurements
from ftdist.doctor.node_report import GpuState, from_fields
from ftdist.doctor.node_speed import clock_offset, memory_gb_s, write_mib_s
from ftdist.doctor.probe import host_name, node_report
from ftdist.errors import FtdistError
from ftdist.io.jsonl import write_whole

RANK, RANKS = "FTDIST_DOCTOR_RANK", "FTDIST_DOCTOR_RANKS"
JOIN_S, COLLECTIVE_S = 180.0, 120.0
COMPUTE_S = {"cpu": 1.0, "cuda": 4.0}
"""Seconds of matrix products; nvidia-smi needs one or two of them."""

MEMORY_S = 0.3


def main(arguments: Sequence[str]) -> int:
    """Measure together with the other ranks.

    Returns:
        The exit code; what went wrong is in a file as well.
    """
    folder, cache = map(Path, arguments)
    world, rendezvous = _world(folder)
    try:
        _measure_together(world, rendezvous, folder=folder, cache=cache)
    except Exception as error:  # noqa: BLE001 - whatever it is, the login node names this node
        problem = error.problem if isinstance(error, FtdistError) else f"{error}"
        line = " ".join(problem.split())[:300] or type(error).__name__
        sys.stderr.write(f"{host_name()}: {line}\n")
        write_whole(folder / f"{ERROR}-{world.rank}.{host_name()}", line)
        return error.exit_code if isinstance(error, FtdistError) else 1
    return 0


def _measure_together(world: World, rendezvous: Rendezvous, *, folder: Path, cache: Path) -> None:
    device = choose_device("auto")
    write_whole(folder / f"{STARTED}-{world.rank}.{host_name()}", device)
    here = torch_device(device, local_rank=world.local_rank)
    use_device(here)
    with process_group(
        world,
        rendezvous=rendezvous,
        device=device,
        timeout_s=COLLECTIVE_S,
        init_timeout_s=JOIN_S,
    ):
        member = Member(world=world, host=host_name(), device=here)
        measured = measure(member, folder=folder, cache=cache)
        if world.is_rank0:
            write_measurements(folder, measured)


def _world(folder: Path) -> tuple[World, Rendezvous]:
    variables = os.environ
    if RANK in variables:
        rank, size = int(variables[RANK]), int(variables[RANKS])
        world = World(rank=rank, size=size, local_rank=rank, local_size=size)
        return world, folder / "rendezvous"
    size, nodes = int(variables["SLURM_NTASKS"]), int(variables["SLURM_NNODES"])
    world = World(
        rank=int(variables["SLURM_PROCID"]),
        size=size,
        local_rank=int(variables["SLURM_LOCALID"]),
        local_size=size // nodes,
    )
    address = Address(
        host=variables["MASTER_ADDR"],
        port=int(variables["MASTER_PORT"]),
        secret=variables[KEY],
    )
    return world, address


def measure(member: Member, *, folder: Path, cache: Path) -> Measurements:
    """All measurements. Collective; the result is complete on rank 0."""
    world = member.world
    hosts = all_gather_json(member.host, world=world)
    leaders = [hosts.index(host) for host in dict.fromkeys(hosts)]
    collectives = check_collectives(member, hosts)
    links = check_links(member, leaders, hosts)
    offsets = _clocks(member, leaders)
    dist.barrier()
    speed, loaded = _compute(member, leaders)
    speeds = all_gather_json(speed, world=world)
    own = _node(member, leaders, folder=folder, cache=cache, loaded=loaded)
    rows = [row for row in all_gather_json(own, world=world) if row is not None]
    nodes = tuple(
        NodeSpeed(
            host=row["host"],
            tflops=tuple(s for host, s in zip(hosts, speeds, strict=True) if host == row["host"]),
            memory_gb_s=row["memory_gb_s"],
            shared_mib_s=row["shared_mib_s"] or 0.0,
            local_mib_s=row["local_mib_s"],
            clock_offset_s=offsets[place][0],
            clock_error_s=offsets[place][1],
        )
        for place, row in enumerate(rows)
    )
    return Measurements(
        device=member.device.type,
        ranks=world.size,
        collectives=tuple(collectives),
        links=tuple(links),
        nodes=nodes,
        reports=tuple(from_fields(row["report"]) for row in rows),
    )


def _clocks(member: Member, leaders: Sequence[int]) -> list[tuple[float, float]]:
    """Offset and error of each node's clock, on rank 0. Collective."""
    group = dist.new_group(backend=backend_of("cpu"))
    offsets = [(0.0, 0.0)]
    for leader in leaders[1:]:
        involved = member.world.rank in (0, leader)
        offsets.append(
            clock_offset(member.world, group=group, other=leader) if involved else (0.0, 0.0)
        )
        dist.barrier()
    return offsets


def _compute(member: Member, leaders: Sequence[int]) -> tuple[float, tuple[GpuState, ...]]:
    """Speed of this rank, and on the first rank of a node the state of its GPUs meanwhile."""
    seconds = COMPUTE_S[member.device.type]
    if member.device.type == "cpu" or member.world.rank not in leaders:
        return _gemm_tflops(member, seconds=seconds), ()
    with ThreadPoolExecutor(max_workers=1) as pool:
        state = pool.submit(read_gpus)
        speed, gpus = _gemm_tflops(member, seconds=seconds), state.result()[0]
    # The memory in use is that of these ranks.
    return speed, tuple(replace(gpu, memory_used_gib=None) for gpu in gpus)


def _gemm_tflops(member: Member, *, seconds: float) -> float:
    dtype = torch.float32 if member.device.type == "cpu" else torch.bfloat16
    return measure_gemm_tflops(member.device, dtype=dtype, seconds=seconds)


def _node(
    member: Member,
    leaders: Sequence[int],
    *,
    folder: Path,
    cache: Path,
    loaded: tuple[GpuState, ...],
) -> dict[str, Any] | None:
    """What the first rank of a node measures for it, all nodes at once; None on other ranks."""
    if member.world.rank not in leaders:
        return None
    shared, report = write_mib_s(folder), node_report(folder, cache=cache)
    return {
        "host": member.host,
        "memory_gb_s": memory_gb_s(seconds=MEMORY_S),
        "shared_mib_s": shared,
        "local_mib_s": write_mib_s(cache),
        "report": asdict(report if not loaded else replace(report, gpus=loaded)),
    }


if __name__ == "__main__":
    torch.manual_seed(0)
    sys.exit(main(sys.argv[1:]))
