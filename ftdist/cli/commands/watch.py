"""`ftdist watch`: a live view of one run, or of all that run."""

import argparse
import select
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from ftdist_launch.run_records import find_runs
from ftdist_launch.slurm.cached_queue import CachedQueue
from ftdist_launch.slurm.client import Queue
from rich.live import Live
from rich.text import Text

from ftdist.cli.commands.status import no_runs
from ftdist.cli.common import RunParser, print_result
from ftdist.cli.views.all_runs import AllRunsReader, all_runs
from ftdist.cli.views.dashboard import Screen, dashboard
from ftdist.cli.views.run_details import describe_run
from ftdist.cli.views.run_snapshot import RunReader
from ftdist.cli.views.terminal import FALLBACK_WIDTH, has_unicode, printable, table_width
from ftdist.rundir import RUNS_ROOT, RunDir
from ftdist.text.terminal import text_console

DESCRIPTION = """\
Watch a run: loss curve, learning rate, throughput, time left, memory, nodes, evaluations, attempts
and events, refreshed in place. q or Ctrl-C leaves; the run continues. Ends when the run does.
Without a run: a table of all runs that are not over.
SLURM is queried at most every 30 s."""

EVERY_S = 2.0
MIN_EVERY_S = 0.5

MAX_CPU_SHARE = 0.05
"""Of one core: frames of runs with very many steps come less often."""

Frame = tuple[list[Text], bool]
"""Lines, and whether nothing will change any more."""


def main(arguments: Sequence[str]) -> int:
    """Show a run, or all runs, until the user leaves or they are over.

    Raises:
        FtdistError: the run does not exist.
    """
    parser = _parser()
    flags = parser.parse_intermixed_args(arguments)
    words = [word for word in (flags.run, *flags.overrides) if word is not None]
    queue = CachedQueue(Queue())
    live = sys.stdout.isatty() and not flags.once
    if all(word.startswith("run.root=") for word in words):
        root = Path(words[-1].partition("=")[2]) if words else RUNS_ROOT
        reader = AllRunsReader(root, queue=queue)
        if not reader.read():
            print_result(_nothing_to_watch(root))
            return 0
        show(lambda screen: all_runs(reader.read(), screen), every_s=flags.every, live=live)
        return 0
    run = parser.parse_run(arguments).run
    _watch_run(run, queue=queue, every_s=flags.every, live=live)
    return 0


def _nothing_to_watch(root: Path) -> str:
    if not find_runs(root):
        return no_runs(root)
    return f"All runs under {root} are over: `ftdist status` shows them, `ftdist watch R` one."


def _parser() -> RunParser:
    parser = RunParser("watch", description=DESCRIPTION, takes_keys=False, only_reads=True)
    parser.add_argument(
        "--once", action="store_true", help="print one frame, for example to a file"
    )
    parser.add_argument(
        "--every", type=_seconds, default=EVERY_S, metavar="S", help="seconds between two frames"
    )
    return parser


def _seconds(text: str) -> float:
    with suppress(ValueError):
        if (seconds := float(text)) >= MIN_EVERY_S:
            return seconds
    raise argparse.ArgumentTypeError(f"expected seconds, at least {MIN_EVERY_S}, for example 5")


def _watch_run(run: RunDir, *, queue: CachedQueue, every_s: float, live: bool) -> None:
    reader = RunReader(run, queue=queue)

    def frame(screen: Screen) -> Frame:
        snapshot = reader.read()
        return dashboard(snapshot, screen), snapshot.status.is_over

    show(frame, every_s=every_s, live=live)
    if live:
        status = reader.read().status
        for line in describe_run(status, cli_name=run.cli_name):
            print_result(line)
        if not status.is_over:
            print_result(f"It continues. `ftdist watch {run.cli_name}` shows it again.")


def show(make_frame: Callable[[Screen], Frame], *, every_s: float, live: bool) -> None:
    """Show frames on the alternate screen until the last one, q or Ctrl-C; or print one.

    Args:
        make_frame: returns the lines, and whether they are the last.
        every_s: seconds between two frames.
        live: whether to show more than one.
    """
    console = text_console(highlight=False)
    unicode = has_unicode(console)
    if not live:
        width = table_width() or FALLBACK_WIDTH
        lines, _ = make_frame(Screen(width=width, height=None, unicode=unicode))
        for line in lines:
            console.print(printable(line, console), soft_wrap=True)
        return
    with (
        suppress(KeyboardInterrupt),
        keys() as pressed,
        Live(console=console, screen=True, auto_refresh=False) as view,
    ):
        while True:
            width, height = console.size
            screen = Screen(width=width, height=height - 1, unicode=unicode)
            began = time.process_time()
            lines, is_last = make_frame(screen)
            cost_s = time.process_time() - began
            hint = Text("q or Ctrl-C leaves; the run continues.", style="dim")
            hint.truncate(width)
            frame = Text("\n").join([*lines[: height - 1], hint])
            view.update(printable(frame, console), refresh=True)
            if is_last or pressed(max(every_s, cost_s / MAX_CPU_SHARE)):
                return


@contextmanager
def keys() -> Iterator[Callable[[float], bool]]:
    """Within the block, a function that waits some seconds, or until q is pressed: whether it was.

    Keys are not echoed meanwhile. Without a terminal as stdin it only waits.
    """
    if not sys.stdin.isatty():
        yield _wait
        return
    before = termios.tcgetattr(sys.stdin)
    tty.setcbreak(sys.stdin)
    try:
        yield _is_q_pressed
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def _wait(seconds: float) -> bool:
    time.sleep(seconds)
    return False


def _is_q_pressed(seconds: float) -> bool:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if select.select([sys.stdin], [], [], left)[0]:
            key = sys.stdin.read(1)
            if key in ("q", "Q", ""):
                return True
    return False
