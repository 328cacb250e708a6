"""`ftdist logs`: what the ranks of a run write, in order of time."""

import re
import select
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from ftdist.cli.common import log, named_run, wants_help
from ftdist.errors import ConfigError

if TYPE_CHECKING:
    from ftdist_launch.logs.files import LogSelection
    from ftdist_launch.logs.merge import Line, LogFile

    from ftdist.rundir import RunDir

HELP = """Usage: ftdist logs R [-f] [--rank N] [--stage prepare|train|export|compare] [--attempt N]

Prints what the ranks of run R wrote, merged by time: [rank] time line. -f goes on until the run
ends, over its restarts. The training's newest attempt (on a cluster: its newest job, all attempts)
unless --stage or --attempt say otherwise; --rank shows one rank alone.
"""

POLL_S = 0.5
POLL_S_PER_LOG = 0.005
"""A shared file system is not asked about a thousand logs twice a second."""

LOOK_EVERY_S = 2.0
ASK_EVERY_S = 20.0
"""How often SLURM is asked whether the job is still there."""

INTERRUPTED = 130

COLOURS = (
    *("cyan", "magenta", "green", "yellow", "blue", "red"),
    *("bright_cyan", "bright_magenta", "bright_green", "bright_yellow", "bright_blue"),
)

_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|[\x00-\x08\x0a-\x1f\x7f-\x9f]"
)
"""What would move a terminal's cursor or change its colours; tabs stay."""

Show = Callable[[Iterable["Line"]], None]


def main(words: Sequence[str]) -> int:
    """Print the logs of a run.

    Raises:
        FtdistError: there is no such run, stage, attempt or rank, or no log yet.
    """
    if wants_help(words, HELP):
        return 0
    wanted, follow, rest = _parse(words)
    run, _ = named_run(rest, verb="logs", takes_keys=False)
    try:
        (_follow if follow else _print)(run, wanted)
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def _print(run: "RunDir", wanted: "LogSelection") -> None:
    from ftdist_launch.logs.files import find, nothing_yet
    from ftdist_launch.logs.merge import Merge
    from ftdist_launch.run_records import read_records
    from ftdist_launch.slurm.client import Queue
    from ftdist_launch.status import read_status

    records = read_records(run)
    files = find(run, records, wanted)
    if not files:
        raise nothing_yet(run, records, read_status(run, queue=Queue()), wanted)
    merge = Merge()
    merge.add(files)
    _shower(max(file.rank for file in files))(merge.rest())


def _follow(run: "RunDir", wanted: "LogSelection") -> None:
    from ftdist_launch.logs.merge import LATE_S, Merge

    merge, watch = Merge(), _Watch(run, wanted)
    while True:
        watch.look()
        merge.add(watch.files)
        show = _shower(max((file.rank for file in watch.files), default=0))
        if watch.over:
            if watch.looks > 1:
                time.sleep(LATE_S)  # the last words of some ranks may come late
            show(merge.rest())
            return
        show(merge.so_far())
        _sleep(max(POLL_S, POLL_S_PER_LOG * len(merge)))


@dataclass
class _Watch:
    """Looks now and then at how a run goes, and which logs it has."""

    run: "RunDir"
    wanted: "LogSelection"
    files: "Sequence[LogFile]" = ()
    over: bool = False
    looks: int = 0
    _look_at: float = 0.0
    _ask_at: float = 0.0

    def look(self) -> None:
        """Look, if it is time to.

        Raises:
            ConfigError: there is no log, and will be none.
        """
        from ftdist_launch.logs.files import find, is_over, nothing_yet
        from ftdist_launch.run_records import read_records
        from ftdist_launch.slurm.client import Queue
        from ftdist_launch.status import read_status

        now = time.monotonic()
        if now < self._look_at:
            return
        queue = Queue() if now >= self._ask_at else None
        self._look_at = now + LOOK_EVERY_S
        self._ask_at = self._ask_at if queue is None else now + ASK_EVERY_S
        status, records = read_status(self.run, queue=queue), read_records(self.run)
        self.files = find(self.run, records, self.wanted)
        self.over = is_over(records, status, self.wanted)
        self.looks += 1
        if self.files:
            return
        nothing = nothing_yet(self.run, records, status, self.wanted)
        if self.over:
            raise nothing
        if self.looks == 1:
            log(f"{nothing.problem} Its lines are shown once it is there.")


def _sleep(seconds: float) -> None:
    """Wait, unless whoever reads our words goes meanwhile.

    Raises:
        BrokenPipeError: they have gone.
    """
    poll = select.poll()
    with suppress(OSError, ValueError):
        poll.register(sys.stdout.fileno(), 0)  # errors and hang-ups alone
    if poll.poll(seconds * 1000):
        raise BrokenPipeError


def _shower(ranks: int) -> Show:
    """Prints lines, in colour on a terminal.

    Args:
        ranks: the highest rank there is.
    """
    width = len(str(ranks))
    return _coloured(width) if sys.stdout.isatty() else _plain(width)


def _plain(width: int) -> Show:
    def show(lines: Iterable["Line"]) -> None:
        for line in lines:
            sys.stdout.write(f"{prefix(line, width=width)}{clean(line.text)}\n")
        sys.stdout.flush()

    return show


def _coloured(width: int) -> Show:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)

    def show(lines: Iterable["Line"]) -> None:
        for line in lines:
            begins = Text(prefix(line, width=width), style=COLOURS[line.rank % len(COLOURS)])
            console.print(begins.append(clean(line.text), style="default"), soft_wrap=True)

    return show


def prefix(line: "Line", *, width: int) -> str:
    """What stands before a line: its rank, and its time where this is."""
    clock = time.strftime("%H:%M:%S", time.localtime(line.time)) if line.time else " " * 8
    return f"[{line.rank:>{width}}] {clock} "


def clean(text: str) -> str:
    """A line without what would command the terminal that shows it."""
    return _ESCAPES.sub("", text)


def _parse(words: Sequence[str]) -> tuple["LogSelection", bool, list[str]]:
    """What is wanted, whether to follow, and the other words."""
    from ftdist_launch.logs.files import STAGES, LogSelection

    values: dict[str, str] = {}
    follow, rest, left = False, [], list(words)
    while left:
        word = left.pop(0)
        name, given, value = word.partition("=")
        if word in ("-f", "--follow"):
            follow = True
        elif name in ("--rank", "--stage", "--attempt"):
            if not given:
                value = left.pop(0) if left else ""
            values[name] = value
        else:
            rest.append(word)
    stage = next((each for each in STAGES if each == values.get("--stage", "train")), None)
    if stage is None:
        near = get_close_matches(values["--stage"], STAGES, n=1)
        raise ConfigError(
            f"--stage is none of {', '.join(STAGES)}.",
            remedy=f"write `--stage {near[0] if near else 'train'}`.",
        )
    rank, attempt = (_number(name, values.get(name)) for name in ("--rank", "--attempt"))
    return LogSelection(stage=stage, rank=rank, attempt=attempt), follow, rest


def _number(name: str, value: str | None) -> int | None:
    if value is None:
        return None
    if not re.fullmatch(r"[0-9]{1,9}", value):
        raise ConfigError(f"{name} is no number.", remedy=f"write `{name} 1`, for example.")
    return int(value)
