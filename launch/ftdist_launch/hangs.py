"""Ranks that hung: what their watchdogs recorded, and which of them kept the others waiting."""

import re
from dataclasses import asdict, dataclass
from pathlib import Path

from ftdist.errors import HangError
from ftdist.io.reserve import LAST_WORDS_S
from ftdist.io.units import format_count
from ftdist_launch.rank_failures import RankFailure
from ftdist_launch.rank_records import read_rows, record_event
from ftdist_launch.rank_reserve import node_file

_WAITS = re.compile(
    r"torch/distributed/|deepspeed/comm/|ftdist/dist/collectives\.py|in wait_for_device\b"
    r"|in \w*(all_?gather|all_?reduce|reduce_scatter|all_?to_?all|broadcast|barrier)\w*"
    r"|/deepspeed/.* in wait$"
)
"""Files and functions of collectives; native ones do not show, only what has called them."""
_TOP_FRAMES = 4
"""Innermost frames of a stack that show whether a rank waits for others."""

SAME_S = 2.0
"""Ranks whose last progress is not further apart made it together."""


@dataclass(frozen=True, kw_only=True)
class Hang:
    """A rank that made no progress, as its watchdog found it."""

    rank: int
    time: float
    """When it was found, seconds since the epoch."""

    idle_s: float
    """Since its last progress."""

    phase: str
    step: int
    state: str
    """Of its process: stopped, uninterruptible, asleep or running."""

    waits: bool
    """Whether it was in a collective, waiting for other ranks."""

    node: str

    @property
    def where(self) -> str:
        """The phase, in words."""
        return {
            "start": "at the start",
            "load": "while loading",
            "step": f"in step {self.step}",
            "save": f"while saving after step {self.step}",
            "evaluate": f"in the evaluation after step {self.step}",
        }[self.phase]

    @property
    def doing(self) -> str:
        """What its process did instead, in words."""
        if self.state == "stopped":
            return "its process was stopped (SIGSTOP)"
        if self.state == "uninterruptible":
            return "it waited for the kernel (state D), as for a file system that does not answer"
        return "it waited in a collective" if self.waits else "it was in no collective"

    def describe(self) -> str:
        """One line about it."""
        return (
            f"Rank {self.rank} on {self.node} made no progress for {self.idle_s:.0f} s "
            f"{self.where} (phase {self.phase}): {self.doing}"
        )


def is_waiting(stack: str) -> bool:
    """Whether a stack, as faulthandler writes it, shows a rank in a collective."""
    threads = re.split(r"^(?:Current thread|Thread) ", stack, flags=re.MULTILINE)
    return any(
        _WAITS.search(line)
        for thread in threads
        for line in [row for row in thread.splitlines() if row.startswith("  File")][:_TOP_FRAMES]
    )


def stacks_file(folder: Path) -> Path:
    """The file with the stacks of this node's ranks."""
    return node_file(folder, "stacks", "txt")


def record_hang(folder: Path, hang: Hang) -> None:
    """Record that a rank of this node hangs."""
    fields = asdict(hang)
    record_event(folder, fields.pop("rank"), "hang", deadline_s=LAST_WORDS_S, **fields)


def read_hangs(folder: Path) -> list[Hang]:
    """The recorded hangs of an attempt."""
    names = Hang.__dataclass_fields__
    return [
        Hang(**{name: value for name, value in row.items() if name in names})
        for row in read_rows(folder)
        if row.get("event") == "hang"
    ]


def hang_failures(folder: Path) -> list[RankFailure]:
    """The failure of the rank that kept the others waiting; empty if no rank hung."""
    hangs = read_hangs(folder)
    if not hangs:
        return []
    first = min(hangs, key=_order)
    others = [hang for hang in hangs if hang.rank != first.rank]
    is_known = (
        not others
        or any(_kind(hang) > _kind(first) for hang in others)
        or all(_last_progress(hang) > _last_progress(first) + SAME_S for hang in others)
    )
    failure = RankFailure(
        rank=first.rank,
        time=min(hang.time for hang in hangs),
        problem=f"{first.describe()}."
        if is_known
        else f"{first.describe()}, as did {format_count(len(others), 'other rank')}.",
        remedy=f"see in {folder}/stacks-*.txt where it was; if it was slow and did not hang, "
        f"raise cluster.{_KEYS[first.phase]}.",
        exit_code=HangError.exit_code,
        traceback="",
        expected=True,
        host=first.node if is_known else None,
    )
    return [failure]


_KEYS = {
    "start": "init_timeout_s",
    "load": "load_timeout_s",
    "step": "step_timeout_s",
    "save": "save_timeout_s",
    "evaluate": "eval_timeout_s",
}


def _order(hang: Hang) -> tuple[tuple[bool, bool], float]:
    """Smallest for the rank that the others wait for."""
    return _kind(hang), _last_progress(hang)


def _kind(hang: Hang) -> tuple[bool, bool]:
    """First those whose process is stuck, last those that wait in a collective."""
    return hang.state not in ("stopped", "uninterruptible"), hang.waits


def _last_progress(hang: Hang) -> float:
    return hang.time - hang.idle_s
