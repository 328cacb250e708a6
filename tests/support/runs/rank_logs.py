"""Hand-written logs of ranks."""

from collections.abc import Iterator
from pathlib import Path

from ftdist_launch.logs.merge import LogLine, LogFile, LogMerger


def at(second: float) -> str:
    """A stamp some seconds after 2001-09-09T01:46:00Z, which is 999,999,960."""
    return f"2001-09-09T01:46:{second:06.3f}Z"


def write(path: Path, *lines: str) -> LogFile:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write("".join(f"{line}\n" for line in lines))
    return LogFile(path=path, rank=int(path.name.split("_")[-2]))


def texts(lines: Iterator[LogLine]) -> list[str]:
    return [f"{line.rank} {line.text}" for line in lines]


def merged(*files: LogFile) -> LogMerger:
    merge = LogMerger()
    merge.add(files)
    return merge
