"""`ftdist logs`: show the logs of all ranks, merged by time."""

import argparse
import re
import select
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from ftdist.cli.common import RunParser, log
from ftdist.errors import INTERRUPTED

if TYPE_CHECKING:
    from ftdist_launch.logs.files import LogSelection
    from ftdist_launch.logs.merge import LogFile, LogLine

    from ftdist.rundir import RunDir

DESCRIPTION = """\
Show the logs of all ranks of a run, merged by time: [rank] time line. Default: those of the newest
training attempt (on a cluster: all attempts of the newest job)."""

POLL_S = 0.5
POLL_S_PER_LOG = 0.005
"""Polls a shared file system less often when there are many logs."""

REFRESH_EVERY_S = 2.0
QUERY_SLURM_EVERY_S = 20.0

COLOURS = (
    *("cyan", "magenta", "green", "yellow", "blue", "red"),
    *("bright_cyan", "bright_magenta", "bright_green", "bright_yellow", "bright_blue"),
)

_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|[\x00-\x08\x0a-\x1f\x7f-\x9f]"
)
"""Terminal control sequences and control characters, except for tabs."""

PrintLines = Callable[[Iterable["LogLine"]], None]


def main(arguments: Sequence[str]) -> int:
    """Print the logs of a run.

    Raises:
        FtdistError: the run, stage, attempt or rank does not exist, or has no log yet.
    """
    parsed = _parser().parse_run(arguments)
    flags = parsed.flags

    from ftdist_launch.logs.files import LogSelection

    selection = LogSelection(stage=flags.stage, rank=flags.rank, attempt=flags.attempt)
    try:
        (_follow if flags.follow else _print)(parsed.run, selection)
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def _parser() -> RunParser:
    from ftdist_launch.logs.files import STAGES

    parser = RunParser("logs", description=DESCRIPTION, takes_keys=False)
    parser.add_argument(
        "-f", "--follow", action="store_true", help="continue until the run ends, across restarts"
    )
    parser.add_argument("--stage", choices=STAGES, default="train", help="default: train")
    for name in ("--rank", "--attempt"):
        parser.add_argument(name, type=_number, metavar="N", help=f"only this {name[2:]}")
    return parser


def _number(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise argparse.ArgumentTypeError("expected a number, for example 1")
    return int(text)


def _print(run: "RunDir", selection: "LogSelection") -> None:
    from ftdist_launch.logs.files import find_logs, missing_log_error
    from ftdist_launch.logs.merge import LogMerger
    from ftdist_launch.run_records import read_run_records
    from ftdist_launch.slurm.client import Queue
    from ftdist_launch.status import read_status

    records = read_run_records(run)
    files = find_logs(run, records, selection)
    if not files:
        raise missing_log_error(run, records, read_status(run, queue=Queue()), selection)
    merger = LogMerger()
    merger.add(files)
    _line_printer(files)(merger.remaining())


def _follow(run: "RunDir", selection: "LogSelection") -> None:
    from ftdist_launch.logs.merge import HOLD_BACK_S, LogMerger

    merger, watcher = LogMerger(), _RunWatcher(run, selection)
    while True:
        watcher.refresh()
        merger.add(watcher.files)
        print_lines = _line_printer(watcher.files)
        if watcher.is_complete:
            if watcher.num_refreshes > 1:
                time.sleep(HOLD_BACK_S)  # the last lines of some ranks may arrive late
            print_lines(merger.remaining())
            return
        print_lines(merger.available())
        _sleep(max(POLL_S, POLL_S_PER_LOG * len(merger)))


class _RunWatcher:
    """Polls the state of a run and which logs it has."""

    def __init__(self, run: "RunDir", selection: "LogSelection") -> None:
        self._run = run
        self._selection = selection
        self._next_refresh = 0.0
        self._next_query = 0.0
        self.files: Sequence[LogFile] = ()
        self.is_complete = False
        self.num_refreshes = 0

    def refresh(self) -> None:
        """Read the state again if it is due.

        Raises:
            ConfigError: there is no log, and none will be written.
        """
        from ftdist_launch.logs.files import find_logs, is_complete, missing_log_error
        from ftdist_launch.run_records import read_run_records
        from ftdist_launch.slurm.client import Queue
        from ftdist_launch.status import read_status

        now = time.monotonic()
        if now < self._next_refresh:
            return
        self._next_refresh = now + REFRESH_EVERY_S
        queue = None
        if now >= self._next_query:
            self._next_query, queue = now + QUERY_SLURM_EVERY_S, Queue()
        status, records = read_status(self._run, queue=queue), read_run_records(self._run)
        self.files = find_logs(self._run, records, self._selection)
        self.is_complete = is_complete(records, status, self._selection)
        self.num_refreshes += 1
        if self.files:
            return
        error = missing_log_error(self._run, records, status, self._selection)
        if self.is_complete:
            raise error
        if self.num_refreshes == 1:
            log(f"{error.problem} Waiting for it.")


def _sleep(seconds: float) -> None:
    """Wait, unless the reader of stdout closes it meanwhile.

    Raises:
        BrokenPipeError: the reader closed it.
    """
    poll = select.poll()
    with suppress(OSError, ValueError):
        poll.register(sys.stdout.fileno(), 0)  # errors and hang-ups only
    if poll.poll(seconds * 1000):
        raise BrokenPipeError


def _line_printer(files: Sequence["LogFile"]) -> PrintLines:
    """Prints lines, in colour on a terminal."""
    width = len(str(max((file.rank for file in files), default=0)))
    return _print_coloured(width) if sys.stdout.isatty() else _print_plain(width)


def _print_plain(width: int) -> PrintLines:
    def print_lines(lines: Iterable["LogLine"]) -> None:
        for line in lines:
            sys.stdout.write(f"{prefix(line, width=width)}{without_escapes(line.text)}\n")
        sys.stdout.flush()

    return print_lines


def _print_coloured(width: int) -> PrintLines:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)

    def print_lines(lines: Iterable["LogLine"]) -> None:
        for line in lines:
            text = Text(prefix(line, width=width), style=COLOURS[line.rank % len(COLOURS)])
            console.print(text.append(without_escapes(line.text), style="default"), soft_wrap=True)

    return print_lines


def prefix(line: "LogLine", *, width: int) -> str:
    """The rank and, if known, the time of a line."""
    clock = time.strftime("%H:%M:%S", time.localtime(line.time)) if line.time else " " * 8
    return f"[{line.rank:>{width}}] {clock} "


def without_escapes(text: str) -> str:
    """A line without terminal control sequences."""
    return _ESCAPES.sub("", text)
