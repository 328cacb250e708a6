"""When ranks started and how they ended: one file per node and attempt, a line per event.

    ranks-node3.jsonl  {"rank": 12, "event": "start", "host": ..., "pid": ...}
                       {"rank": 12, "event": "exit", "exit_code": 0}

A killed rank leaves no exit; of one that hangs, its watchdog leaves a line (`hangs.py`).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ftdist.io.filesystem import storage_errors
from ftdist.io.jsonl import append_json_line, read_json_lines
from ftdist.io.reserve import LAST_WORDS_S
from ftdist_launch.rank_failures import read_failures
from ftdist_launch.rank_reserve import node_file, read_last_words, write_last_words


def record_start(folder: Path, rank: int, **fields: Any) -> None:
    """Record that a rank has started on this node.

    Args:
        folder: of the attempt.
        rank: which one.
        **fields: its host and process, and the size of its log.
    """
    with storage_errors("write", folder):
        record_event(folder, rank, "start", **fields)


def record_exit(folder: Path, rank: int, exit_code: int) -> None:
    """Record that a rank of this node ends; on a full disk in the node's reserve."""
    try:
        record_event(folder, rank, "exit", deadline_s=LAST_WORDS_S, exit_code=exit_code)
    except OSError:
        row = {"rank": rank, "event": "exit", "exit_code": exit_code}
        write_last_words(folder, rank, row)


def record_event(
    folder: Path, rank: int, event: str, *, deadline_s: float | None = None, **fields: Any
) -> None:
    """Record something about a rank of this node.

    Args:
        folder: of the attempt.
        rank: which one.
        event: what.
        deadline_s: how long passing errors are tried again; None: the default.
        **fields: of the event.

    Raises:
        OSError: the disk refused it.
    """
    path = node_file(folder, "ranks", "jsonl")
    append_json_line(path, {"rank": rank, "event": event, **fields}, deadline_s=deadline_s)


def read_starts(folder: Path) -> dict[int, dict[str, Any]]:
    """The recorded starts of an attempt, by rank."""
    return {row["rank"]: row for row in read_rows(folder) if row.get("event") == "start"}


def read_exit_codes(folder: Path, ranks: int) -> tuple[int | None, ...]:
    """The exit code of each rank; None: it left none, because it runs or was killed."""
    # A failure is recorded first, and its record may have taken the room of the other.
    codes = {failure.rank: failure.exit_code for failure in read_failures(folder)}
    rows = (row for row in read_rows(folder) if row.get("event") == "exit")
    codes |= {row["rank"]: int(row["exit_code"]) for row in rows}
    return tuple(codes.get(rank) for rank in range(ranks))


def forget_ranks(folder: Path) -> None:
    """Remove the records of an earlier start of a stage."""
    for pattern in ("ranks-*.jsonl", "ranks-*.reserve"):
        for path in folder.glob(pattern):
            path.unlink()


def read_rows(folder: Path) -> Iterator[dict[str, Any]]:
    """All records of an attempt, those of a node in the order in which they were written."""
    for path in sorted(folder.glob("ranks-*.jsonl")):
        yield from read_json_lines(path)
    yield from read_last_words(folder)
