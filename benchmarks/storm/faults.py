"""The faults of a storm: each is brought about, held for a while, and mended."""

import os
import random
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ftdist.checkpoint.manifest import read_manifest
from ftdist.rundir import RunDir
from tests.support.slurm.cluster import SlurmLab
from tests.support.slurm.login import Login
from tests.support.slurm.processes import NodeProcess
from tests.support.slurm.queued_runs import committed

STARTING_S = 120.0
"""How long the ranks of a new attempt may take to appear, seconds."""

CHUNK = 1 << 16
"""Bytes that a full disk is filled with at a time, at first."""


class NothingToStrikeError(Exception):
    """No rank is running: the run has ended."""


@dataclass
class Scene:
    """What a fault can reach."""

    lab: SlurmLab
    login: Login
    run: RunDir
    rng: random.Random
    job: str
    """The newest job of the run."""

    def ranks(self) -> list[NodeProcess]:
        """All ranks that run now, on all nodes."""
        return [rank for node in self.lab.nodes for rank in self.lab.ranks(node)]

    def any_rank(self) -> NodeProcess:
        """One of them."""
        ranks = self.ranks()
        if not ranks:
            raise NothingToStrikeError
        return self.rng.choice(ranks)

    def busy_node(self) -> str:
        """One of the nodes on which a rank runs."""
        nodes = [node for node in self.lab.nodes if self.lab.ranks(node)]
        if not nodes:
            raise NothingToStrikeError
        return self.rng.choice(nodes)


def kill_rank(scene: Scene) -> str:
    """SIGKILL a rank."""
    rank = scene.any_rank()
    _send(rank, signal.SIGKILL)
    return f"rank {rank.rank}"


def kill_starting(scene: Scene) -> str:
    """SIGKILL a rank, and one of the next attempt while it starts."""
    old = {rank.pid for rank in scene.ranks()}
    kill_rank(scene)
    deadline = time.monotonic() + STARTING_S
    while time.monotonic() < deadline:
        new = [rank for rank in scene.ranks() if rank.pid not in old]
        if new:
            time.sleep(scene.rng.uniform(0.0, 5.0))
            _send(scene.rng.choice(new), signal.SIGKILL)
            return "a rank, and one of the next attempt"
        time.sleep(0.1)
    return "a rank; no other attempt began"


def stop_rank(scene: Scene) -> str:
    """SIGSTOP a rank: it is there and does nothing."""
    rank = scene.any_rank()
    _send(rank, signal.SIGSTOP)
    return f"rank {rank.rank}"


def signal_ranks(scene: Scene) -> str:
    """Send the ranks what SLURM sends near a time limit, or what a preemption sends."""
    name = scene.rng.choice(("USR2", "TERM"))
    with suppress(AssertionError):  # the job has just ended
        scene.lab.client("scancel", f"--signal={name}", scene.job)
    return f"SIG{name} to all"


def cut_link(scene: Scene) -> str:
    """Cut a node's network, for less or for more than SLURM waits for it."""
    node, held_s = scene.busy_node(), scene.rng.choice((4, 30))
    scene.lab.link_down(node)
    time.sleep(held_s)
    scene.lab.link_up(node)
    return f"{node} for {held_s} s"


def power_off(scene: Scene) -> str:
    """Power a node off, and boot it again."""
    node, held_s = scene.busy_node(), scene.rng.choice((5, 25))
    scene.lab.kill_node(node)
    time.sleep(held_s)
    scene.lab.boot_node(node)
    return f"{node} for {held_s} s"


def kill_daemon(scene: Scene) -> str:
    """Kill the SLURM daemon of a node, and start it again."""
    node = scene.busy_node()
    scene.lab.kill_slurmd(node)
    time.sleep(5)
    scene.lab.start_slurmd(node)
    return f"slurmd of {node} for 5 s"


def restart_controller(scene: Scene) -> str:
    """Kill SLURM's controller, stop the ranks meanwhile or not, and start it again."""
    stops = scene.rng.random() < 0.5
    rank = scene.any_rank()
    scene.lab.kill_controller()
    if stops:  # the batch script asks to be requeued while nobody answers
        _send(rank, signal.SIGUSR2)
    time.sleep(8)
    scene.lab.start_controller()
    return "for 8 s" + (f", SIGUSR2 to rank {rank.rank} meanwhile" if stops else "")


def fill_disk(scene: Scene) -> str:
    """Fill the disk of the run to the last byte for 8 seconds."""
    filler = scene.run.root.parent / "filler"
    with filler.open("wb") as file:
        for size in (CHUNK, 512):
            with suppress(OSError):
                while True:
                    os.write(file.fileno(), b"x" * size)
        time.sleep(8)
    filler.unlink()
    return "for 8 s"


def rot_file(scene: Scene) -> str:
    """Flip a bit of a file of the newest checkpoint, and SIGKILL a rank at once."""
    rank = scene.any_rank()
    steps = committed(scene.run)
    if not steps:
        _send(rank, signal.SIGKILL)
        return "no checkpoint yet"
    folder = scene.run.checkpoints / f"step-{steps[-1]:08d}"
    try:
        name = scene.rng.choice([record.name for record in read_manifest(folder).files])
        flip_bit(folder / name, scene.rng)
    except OSError:  # a newer one has just taken its place
        name = "none"
    _send(rank, signal.SIGKILL)
    return f"{name} of step {steps[-1]}"


FAULTS: dict[str, Callable[[Scene], str]] = {
    "rank killed": kill_rank,
    "rank killed twice": kill_starting,
    "rank stopped": stop_rank,
    "signal": signal_ranks,
    "network cut": cut_link,
    "node off": power_off,
    "slurmd killed": kill_daemon,
    "controller killed": restart_controller,
    "disk full": fill_disk,
    "checkpoint rotten": rot_file,
}
"""What a storm is made of, by name."""


def _send(process: NodeProcess, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(process.pid, number)


def flip_bit(path: Path, rng: random.Random) -> None:
    """Flip one bit of a file."""
    with path.open("r+b") as file:
        file.seek(rng.randrange(path.stat().st_size))
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1 << rng.randrange(8)]))
