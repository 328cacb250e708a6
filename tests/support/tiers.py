"""The tiers of tests: their folders, pytest arguments and requirements."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
CLUSTER_PROGRAMS = (
    *("ip", "nsenter", "unshare", "flock", "munged", "mariadbd", "slurmctld", "slurmd", "slurmdbd"),
    *("sbatch", "srun", "scancel", "scontrol", "squeue", "sinfo", "sacct", "sacctmgr"),
)
"""What tests/support/slurmlab.sh and the tests on it call."""


@dataclass(frozen=True, kw_only=True)
class Tier:
    """One tier."""

    name: str
    """Also the name of its folder and of its pytest marker."""

    pytest_args: tuple[str, ...] = ()
    may_skip_in_ci: bool = False
    why_not_here: Callable[[], str | None]
    """What this machine lacks to run the tier; None: nothing."""

    @property
    def folder(self) -> Path:
        """Where its tests lie."""
        return TESTS / self.name

    @property
    def has_tests(self) -> bool:
        """Whether anything was written for it yet."""
        return any(self.folder.rglob("test_*.py"))


def missing_gloo() -> str | None:
    """Why several processes cannot meet here."""
    import torch.distributed

    if torch.distributed.is_available() and torch.distributed.is_gloo_available():
        return None
    return "this PyTorch was built without gloo"


def missing_cluster() -> str | None:
    """Why no SLURM can be started here."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
    absent = [name for name in CLUSTER_PROGRAMS if shutil.which(name, path=path) is None]
    if absent:
        return f"{', '.join(absent)} not installed: `make cluster-packages` as root does it"
    if os.geteuid() != 0:
        return "nodes can be made by root alone: sudo make test TIERS=cluster"
    # On an interface of a network that ends with the question.
    question = ["unshare", "--mount", "--uts", "--ipc", "--net", "--pid", "--fork"]
    question += ["ip", "link", "add", "name", "asked", "type", "bridge"]
    answer = subprocess.run(question, capture_output=True, text=True, check=False)
    if answer.returncode:
        return f"nodes cannot be made here, as in most containers: {answer.stderr.strip()}"
    return None


def missing_cuda() -> str | None:
    """Why nothing can run on a GPU here. Asked in a child: looking at CUDA holds GPU memory."""
    question = (
        "import sys, torch; sys.exit(not (torch.cuda.is_available() and torch.cuda.device_count()))"
    )
    answer = subprocess.run([sys.executable, "-c", question], check=False)
    return None if answer.returncode == 0 else "no CUDA device is visible"


TIERS = (
    Tier(
        name="unit",
        pytest_args=("--numprocesses=2", "--dist=worksteal"),
        why_not_here=lambda: None,
    ),
    Tier(name="dist", why_not_here=missing_gloo),
    Tier(name="cluster", why_not_here=missing_cluster),
    Tier(name="gpu", may_skip_in_ci=True, why_not_here=missing_cuda),
)
