"""The tests' cluster is real: nodes of their own, a network between them, nothing left over."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from tests.support.slurm.cluster import ROOT, SlurmLab

SUM = """
import os, socket, torch
from ftdist.dist.rendezvous import Address
from ftdist.dist.world import World, process_group

rank, size = int(os.environ["SLURM_PROCID"]), int(os.environ["SLURM_NTASKS"])
world = World(rank=rank, size=size, local_rank=int(os.environ["SLURM_LOCALID"]), local_size=1)
address = Address(host="node1", port=29500, secret="s" * 64)
with process_group(world, rendezvous=address, device="cpu", timeout_s=60):
    total = torch.tensor(10.0 + rank)
    torch.distributed.all_reduce(total)
print(socket.gethostname(), int(total))
"""
"""10 + 11 on two nodes."""

OWNER = """
import time
from tests.support.slurm.cluster import SlurmLab

with SlurmLab.running(nodes=1) as lab:
    print(lab.folder, flush=True)
    time.sleep(600)
"""


def test_tasks_run_on_nodes_with_their_own_names_and_addresses(slurm_lab: SlurmLab) -> None:
    ask = "echo $SLURM_PROCID $(hostname) $(hostname -I)"
    words = ("srun", "--nodes=2", "--ntasks-per-node=2", "sh", "-c", ask)
    said = sorted(line.split() for line in slurm_lab.client(*words).splitlines())
    assert [line[:2] for line in said] == [
        ["0", "node1"],
        ["1", "node1"],
        ["2", "node2"],
        ["3", "node2"],
    ]
    addresses = {host: address for _, host, address in said}
    assert sorted(addresses) == ["node1", "node2"]
    assert len(set(addresses.values())) == 2


def test_ranks_of_two_nodes_rendezvous_over_their_network(slurm_lab: SlurmLab) -> None:
    command = ("srun", "--nodes=2", f"--chdir={ROOT}", sys.executable, "-c", SUM)
    said = slurm_lab.client(*command, timeout_s=120)
    assert sorted(said.splitlines()) == ["node1 21", "node2 21"]


def test_a_killed_test_run_leaves_no_cluster() -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER], cwd=ROOT, stdout=subprocess.PIPE)
    assert owner.stdout is not None
    folder = Path(owner.stdout.readline().decode().strip())
    lab = SlurmLab(folder=folder, nodes=("node1",))
    assert lab.node_state("node1") == "idle"
    links = {name for _, name in socket.if_nameindex()}
    init = int((folder / "pid/node1.init").read_text().split()[0])

    os.kill(owner.pid, signal.SIGKILL)
    owner.communicate()
    deadline = time.monotonic() + 60
    while folder.exists() and time.monotonic() < deadline:
        time.sleep(0.1)

    assert not folder.exists()
    assert not Path(f"/proc/{init}").exists()
    assert {name for _, name in socket.if_nameindex()} < links
