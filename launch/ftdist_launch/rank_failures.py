"""Which rank failed first, and why.

When one rank dies, the others lose their connection to it and fail too, often sooner on paper
than the one that had to write a traceback first. What is shown is the cause, not its echo.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftdist.io.jsonl import write_whole
from ftdist_launch.restart_policy import LOST_PEER, NO_EXIT_FILE

ECHO = re.compile(
    r"connection (was )?(closed|reset|refused|aborted)|broken pipe|closed by (the )?(remote )?peer"
    r"|remote process exited|socket closed|peer (rank )?(left|gone|exited)|not all came"
    r"|failed to recv|recvbytes|sendbytes|nccl communicator was aborted",
    re.IGNORECASE,
)
"""What gloo, NCCL and the rendezvous store say when a peer has gone."""


FAILED = "failed: "
"""How a rank's last line in its log begins; a view leaves it out, for the cause is shown once."""


@dataclass(frozen=True, kw_only=True)
class RankFailure:
    """Why one rank failed."""

    rank: int
    time: float
    """Seconds since the epoch."""

    problem: str
    remedy: str
    exit_code: int
    traceback: str
    expected: bool
    """Whether it is a user's error with a remedy of its own."""

    @property
    def is_echo(self) -> bool:
        """Whether this rank only says that it lost another one."""
        return bool(ECHO.search(self.problem))

    @property
    def cause(self) -> int:
        """What `ftdist_launch.restart_policy.decide` goes by."""
        return LOST_PEER if self.is_echo and self.exit_code > 0 else self.exit_code


def error_path(folder: Path, rank: int) -> Path:
    """Where a rank says why it failed."""
    return folder / f"rank-{rank:05d}.error.json"


def exit_path(folder: Path, rank: int) -> Path:
    """Where a rank leaves its exit code; a killed one leaves none."""
    return folder / f"rank-{rank:05d}.exit.json"


def traceback_path(folder: Path, rank: int) -> Path:
    """Where a rank leaves the traceback of an error that nobody expected."""
    return folder / f"rank-{rank:05d}.traceback.txt"


def start_path(folder: Path, rank: int) -> Path:
    """Where a rank says that it started, on which host and as which process."""
    return folder / f"rank-{rank:05d}.start.json"


def write_failure(folder: Path, failure: RankFailure) -> None:
    """Leave behind why this rank failed; the first reason stays."""
    path = error_path(folder, failure.rank)
    if not path.exists():
        fields = {name: getattr(failure, name) for name in RankFailure.__dataclass_fields__}
        write_whole(path, json.dumps(fields, indent=2) + "\n")


def read_failures(folder: Path) -> list[RankFailure]:
    """What the ranks of one attempt left behind, in order of time."""
    failures = []
    for path in folder.glob("rank-*.error.json"):
        fields = read_json(path)
        if fields is not None:
            failures.append(RankFailure(**fields))
    return sorted(failures, key=lambda failure: failure.time)


def exited_silently(rank: int, *, time: float, out_of_memory: bool, log: Path) -> RankFailure:
    """The failure of a rank that ended without a word."""
    if out_of_memory:
        problem = f"Rank {rank} was killed by the machine, which had run out of memory."
        remedy = (
            "set model.activation_checkpointing=true, lower batch.micro_batch_size or "
            "batch.sequence_length, or run fewer ranks here; `ftdist plan` shows what needs memory."
        )
    else:
        problem = f"Rank {rank} ended without a word: something killed it."
        remedy = f"read the end of {log}; if nobody ended it, look for a lack of memory."
    return RankFailure(
        rank=rank,
        time=time,
        problem=problem,
        remedy=remedy,
        exit_code=NO_EXIT_FILE,
        traceback="",
        expected=True,
    )


def first_failure(failures: list[RankFailure]) -> RankFailure | None:
    """The cause: the earliest failure that is not an echo, or the earliest echo.

    Args:
        failures: of one attempt, those of vanished ranks included, in any order.
    """
    return min(failures, key=lambda f: (f.is_echo, f.time), default=None)


def read_json(path: Path) -> dict[str, Any] | None:
    """A small JSON file of another process; none where it is not there or not whole."""
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError, UnicodeDecodeError):
        return None
    return fields if isinstance(fields, dict) else None
