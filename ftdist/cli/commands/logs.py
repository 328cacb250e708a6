"""`ftdist logs`: show the logs of all ranks, merged by time."""

import argparse
import re
import select
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

from ftdist_launch.expert.stages import read_stages, stage_with_log
from ftdist_launch.logs.files import (
    STAGES,
    LogSelection,
    find_logs,
    is_complete,
    missing_log_error,
)
from ftdist_launch.logs.merge import HOLD_BACK_S, LogLine, LogMerger
from ftdist_launch.run_records import read_run_records
from ftdist_launch.slurm.client import Queue
from ftdist_launch.status import read_status
from rich.text import Text

from ftdist.cli.common import RunParser, log
from ftdist.errors import INTERRUPTED
from ftdist.rundir import RunDir
from ftdist.text.terminal import plain, text_console

DESCRIPTION = """\
Show the logs of all ranks of a run, merged by time: [rank] time line. Default: those of the newest
training attempt (on a cluster: all attempts of the newest job); of a run of `ftdist expert`, those
of its newest stage."""

STAGE_HELP = "default: train; of a run of `ftdist expert`, the newest stage"

POLL_S = 1.0
POLL_S_PER_LOG = 0.005
"""Polls a shared file system less often when there are many logs."""

QUERY_SLURM_EVERY_S = 20.0

LAUNCHER_LINES = ("submitit ",)
"""How lines begin that are shown with --all only."""

COLOURS = (
    *("cyan", "magenta", "green", "yellow", "blue", "red"),
    *("bright_cyan", "bright_magenta", "bright_green", "bright_yellow", "bright_blue"),
)

_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|[\x00-\x08\x0a-\x1f\x7f-\x9f]"
)
"""Terminal control sequences and control characters, except for tabs."""


def main(arguments: Sequence[str]) -> int:
    """Print the logs of a run.

    Raises:
        FtdistError: the run, stage, attempt or rank does not exist, or has no log yet.
    """
    parsed = _parser().parse_run(arguments)
    flags = parsed.flags
    stage = flags.stage
    if stage is None:
        one_rank = flags.rank is not None or flags.attempt is not None
        stage = "train" if one_rank else stage_with_log(read_stages(parsed.run))
    selection = LogSelection(stage=stage, rank=flags.rank, attempt=flags.attempt)
    show = _follow if flags.follow else _print
    try:
        show(parsed.run, selection, prefixes=() if flags.all else LAUNCHER_LINES)
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def _parser() -> RunParser:
    parser = RunParser("logs", description=DESCRIPTION, takes_keys=False, only_reads=True)
    parser.add_argument(
        "-f", "--follow", action="store_true", help="continue until the run ends, across restarts"
    )
    parser.add_argument(
        "--all", action="store_true", help="also the lines of submitit, which starts the ranks"
    )
    parser.add_argument("--stage", choices=STAGES, help=STAGE_HELP)
    for name in ("--rank", "--attempt"):
        parser.add_argument(name, type=_number, metavar="N", help=f"only this {name[2:]}")
    return parser


def _number(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise argparse.ArgumentTypeError("expected a number, for example 1")
    return int(text)


def _print(run: RunDir, selection: LogSelection, *, prefixes: tuple[str, ...]) -> None:
    records = read_run_records(run)
    files = find_logs(run, records, selection)
    if not files:
        raise missing_log_error(run, records, read_status(run, queue=Queue()), selection)
    merger = LogMerger()
    merger.add(files)
    lines = _without(merger.remaining(), prefixes=prefixes)
    if not _print_lines(lines, max_rank=files[-1].rank):
        log("Nothing was printed yet; `--all` shows the lines of submitit, which starts the ranks.")


def _follow(run: RunDir, selection: LogSelection, *, prefixes: tuple[str, ...]) -> None:
    merger, next_query, is_first = LogMerger(), 0.0, True
    while True:
        queue = None
        if time.monotonic() >= next_query:
            next_query, queue = time.monotonic() + QUERY_SLURM_EVERY_S, Queue()
        status, records = read_status(run, queue=queue), read_run_records(run)
        files = find_logs(run, records, selection)
        is_over = is_complete(records, status, selection)
        if not files:
            error = missing_log_error(run, records, status, selection)
            if is_over:
                raise error
            if is_first:
                log(f"{error.problem} Waiting for it.")
        merger.add(files)
        max_rank = files[-1].rank if files else 0
        if is_over:
            if not is_first:
                time.sleep(HOLD_BACK_S)  # the last lines of some ranks may arrive late
            _print_lines(_without(merger.remaining(), prefixes=prefixes), max_rank=max_rank)
            return
        _print_lines(_without(merger.available(), prefixes=prefixes), max_rank=max_rank)
        is_first = False
        _sleep(max(POLL_S, POLL_S_PER_LOG * len(files)))


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


def _without(lines: Iterable[LogLine], *, prefixes: tuple[str, ...]) -> Iterator[LogLine]:
    """The lines that begin with none of the prefixes."""
    return (line for line in lines if not line.text.startswith(prefixes))


def _print_lines(lines: Iterable[LogLine], *, max_rank: int) -> int:
    """Print lines, in colour on a terminal; returns how many there were."""
    width, console, count = len(str(max_rank)), text_console(highlight=False), 0
    for line in lines:
        count += 1
        start, text = prefix(line, width=width), without_escapes(line.text)
        if sys.stdout.isatty():
            coloured = Text(start, style=COLOURS[line.rank % len(COLOURS)])
            console.print(coloured.append(text, style="default"), soft_wrap=True)
        else:
            sys.stdout.write(f"{start}{text}\n")
    sys.stdout.flush()
    return count


def prefix(line: LogLine, *, width: int) -> str:
    """The rank and, if known, the time of a line."""
    clock = time.strftime("%H:%M:%S", time.localtime(line.time)) if line.time else " " * 8
    return f"[{line.rank:>{width}}] {clock} "


def without_escapes(text: str) -> str:
    """A line without terminal control sequences."""
    return plain(_ESCAPES.sub("", text))
