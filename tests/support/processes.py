"""Processes of this machine, from /proc."""

from pathlib import Path


def family(pid: int) -> list[int]:
    """All processes that a process started, and those that they did."""
    parents = {int(path.name): _stat(int(path.name)) for path in Path("/proc").glob("[0-9]*")}
    found: list[int] = []
    todo = [pid]
    while todo:
        above = todo.pop()
        children = [child for child, (_, parent) in parents.items() if parent == above]
        found += children
        todo += children
    return found


def is_over(pid: int) -> bool:
    """Whether a process has ended, waited for or not."""
    return _stat(pid)[0] in "ZX"


def says(pid: int) -> str:
    """The words that a process was started with."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


def _stat(pid: int) -> tuple[str, int]:
    """State and parent; of a process that is not there X and 0."""
    try:
        state, parent, *_ = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "X", 0
    return state, int(parent)
