"""Failures of ranks, and which one was first.

When one rank dies, the others lose their connection to it and fail too, often with an earlier
timestamp than the one that had to write a traceback first. The cause is shown, not the echoes.
"""

import json
import re
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ftdist.errors import StorageError, TransientStorageError
from ftdist.io.jsonl import write_whole
from ftdist.io.reserve import LAST_WORDS_S
from ftdist_launch.rank_reserve import read_last_words, write_last_words
from ftdist_launch.restart_policy import LOST_PEER, NO_EXIT_FILE

ECHO = re.compile(
    r"connection (was )?(closed|reset|refused|aborted)|broken pipe|closed by (the )?(remote )?peer"
    r"|remote process exited|socket closed|peer (rank )?(left|gone|exited)|not all joined"
    r"|failed to recv|recvbytes|sendbytes|nccl communicator was aborted",
    re.IGNORECASE,
)
"""Messages of gloo, NCCL and the rendezvous store when a peer has exited."""

FAILED = "failed: "
"""Prefix of a failed rank's last log line; progress views hide it, as the cause is shown anyway."""


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
    """Whether it is an anticipated error with its own remedy."""

    host: str | None = None
    """Node of the rank, where it is known."""

    passing: bool = False
    """Whether a shared file system did not answer for a while: the run is started again."""

    gpu_memory: dict[str, float] | None = None
    """GiB, as `ftdist.dist.device.gpu_memory`; None: no GPU was used."""

    @property
    def is_echo(self) -> bool:
        """Whether this rank only reports that it lost another one."""
        return bool(ECHO.search(self.problem))

    @property
    def cause(self) -> int:
        """The cause for `ftdist_launch.restart_policy.decide`."""
        if self.passing:
            return TransientStorageError.exit_code
        return LOST_PEER if self.is_echo and self.exit_code > 0 else self.exit_code


def rank_file(folder: Path, rank: int, name: str) -> Path:
    """A file that a rank writes into the folder of its attempt.

    Args:
        folder: of the attempt.
        rank: whose file.
        name: error.json (why it failed), or traceback.txt (of an unexpected error).
    """
    return folder / f"rank-{rank:05d}.{name}"


def write_failure(folder: Path, failure: RankFailure) -> None:
    """Record why this rank failed; on a full disk in the node's reserve."""
    path, fields = rank_file(folder, failure.rank, "error.json"), asdict(failure)
    try:
        write_whole(path, json.dumps(fields, indent=2) + "\n", deadline_s=LAST_WORDS_S)
    except OSError:
        short = {"problem": failure.problem[:1500], "traceback": failure.traceback[-2000:]}
        write_last_words(folder, failure.rank, {"event": "failure", **fields, **short})


def log_line(failure: RankFailure) -> str:
    """The last line of a failed rank's log."""
    code = failure.exit_code
    line = f"{FAILED}{failure.problem} To fix: {failure.remedy} [exit code {code}]"
    return " ".join(line.split()) + "\n"


_LOG_LINE = re.compile(
    rf"{FAILED}(?P<problem>.+) To fix: (?P<remedy>.+) \[exit code (?P<code>\d+)\]$", re.MULTILINE
)


def failure_in_log(rank: int, text: str, *, time: float) -> RankFailure | None:
    """What the log of a rank says of its failure, for want of a record.

    Args:
        rank: whose log.
        text: its end.
        time: of the failure.
    """
    found = list(_LOG_LINE.finditer(text))
    if not found:
        return None
    return RankFailure(
        rank=rank,
        time=time,
        problem=found[-1]["problem"],
        remedy=found[-1]["remedy"],
        exit_code=int(found[-1]["code"]),
        traceback="",
        expected=True,
    )


def read_failures(folder: Path) -> list[RankFailure]:
    """The recorded failures of an attempt, in any order."""
    rows = [fields for path in folder.glob("rank-*.error.json") if (fields := read_json(path))]
    for row in read_last_words(folder):
        if row.pop("event", None) == "failure":
            rows.append(row)
    return [RankFailure(**row) for row in rows]


def exited_silently(
    rank: int,
    *,
    time: float,
    log: Path,
    out_of_memory: bool = False,
    problem: str = "",
    remedy: str = "",
    host: str | None = None,
) -> RankFailure:
    """The failure of a rank that left no report.

    Args:
        rank: which one.
        time: when it was first missing.
        log: of the rank.
        out_of_memory: whether its machine ran out of memory.
        problem: what else is known of its end.
        remedy: what else to do about it.
        host: its node, if the node may be at fault.
    """
    if out_of_memory:
        host = None
        problem = f"Rank {rank} was killed because the machine ran out of memory."
        remedy = (
            "set model.activation_checkpointing=full, lower batch.micro_batch_size or "
            "batch.sequence_length, or run fewer ranks per node; `ftdist plan` shows memory use."
        )
    return RankFailure(
        rank=rank,
        time=time,
        problem=problem or f"Rank {rank} exited without an error report; it was probably killed.",
        remedy=remedy or f"read the end of {log}; check whether the node ran out of memory.",
        exit_code=NO_EXIT_FILE,
        traceback="",
        expected=True,
        host=host,
    )


def never_started(error: StorageError) -> RankFailure:
    """The failure of a job that the disk kept from starting."""
    return RankFailure(
        rank=0,
        time=time.time(),
        problem=error.problem,
        remedy=error.remedy,
        exit_code=StorageError.exit_code,
        traceback="",
        expected=True,
        passing=isinstance(error, TransientStorageError),
    )


def first_failure(failures: list[RankFailure]) -> RankFailure | None:
    """The earliest failure that is not an echo, or else the earliest echo."""
    return min(failures, key=lambda f: (f.is_echo, f.time), default=None)


def read_json(path: Path) -> dict[str, Any] | None:
    """A small JSON file of another process; None if it is missing or incomplete."""
    try:
        fields: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return fields
