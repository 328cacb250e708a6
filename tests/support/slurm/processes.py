"""Processes on the nodes of a cluster in namespaces of this machine."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class NodeProcess:
    """A process on a node, as this machine sees it."""

    pid: int
    """Here, not on the node: `os.kill` takes it."""

    command: str
    rank: int | None
    """Of the run; None: this is no rank."""


def processes_of(init_file: Path) -> list[NodeProcess]:
    """What runs on a node, SLURM's daemons excepted; nothing on one that is off.

    Args:
        init_file: holds the pid of the node's first process.
    """
    try:
        init = init_file.read_text().split()[0]
        namespace = Path(f"/proc/{init}/ns/pid").readlink()
    except OSError:
        return []
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and folder.name != init:
            with suppress(OSError):  # it has ended meanwhile
                if (folder / "ns/pid").readlink() == namespace:
                    found += _look_at(folder)
    return found


def _look_at(folder: Path) -> list[NodeProcess]:
    """The process of a folder in /proc; none if it is the node's own or has ended."""
    words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
    command = " ".join(words).strip()
    name = Path(words[0]).name
    own = name.startswith(("slurmd", "slurmstepd")) or command == "sleep 86400"
    if not command or own:
        return []
    rank = _environment_of(folder).get("SLURM_PROCID") if _is_rank(folder, command) else None
    return [NodeProcess(pid=int(folder.name), command=command, rank=int(rank) if rank else None)]


def _is_rank(folder: Path, command: str) -> bool:
    """Whether this is what srun started; a child that a rank forked has the same command."""
    if "submitit" not in command or not Path(command.split()[0]).name.startswith("python"):
        return False
    parent = (folder / "stat").read_text().rpartition(") ")[2].split()[1]
    return "submitit" not in Path(f"/proc/{parent}/cmdline").read_text(errors="replace")


def _environment_of(folder: Path) -> dict[str, str]:
    entries = (folder / "environ").read_bytes().decode(errors="replace").split("\0")
    return dict(entry.split("=", 1) for entry in entries if "=" in entry)
