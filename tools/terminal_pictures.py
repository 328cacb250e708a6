"""Pictures of `ftdist status` and `ftdist watch` for the documents, from real runs.

    python -m tools.terminal_pictures RUNS RUN

writes docs/images/status-*.svg and docs/images/watch-*.svg, for a light and a dark terminal, and
docs/images/terminal.svg, commands with their output. RUNS is a folder of runs, and RUN the one to
watch; both are shown in their state at that moment.
"""

import io
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from ftdist_launch.slurm.client import Queue
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.terminal_theme import DEFAULT_TERMINAL_THEME, SVG_EXPORT_THEME
from rich.text import Text

from ftdist.cli.commands.status import read_runs
from ftdist.cli.views.dashboard import Screen, dashboard
from ftdist.cli.views.run_snapshot import RunReader
from ftdist.cli.views.runs_table import legend, runs_table
from ftdist.rundir import RunDir

IMAGES = Path(__file__).parents[1] / "docs" / "images"

THEMES = {"dark": SVG_EXPORT_THEME, "light": DEFAULT_TERMINAL_THEME}

WIDTHS = (80, 120)

FONTS = "DejaVu Sans Mono, Menlo, Consolas, monospace"

HEIGHT = 30
"""Lines of the watched terminal."""

MISTAKES = "ftdist plan optim.lr=1e-4 batch.tokens=1000 model.dtype=bf16"


def main(root: Path, name: str) -> None:
    """Write all pictures."""
    for width in WIDTHS:
        statuses = read_runs(root, queue=Queue())
        table = runs_table(statuses, width=width)
        lines = [*table, *(Text(text, style="dim") for text in legend(table))]
        _save(lines, width=width, title="ftdist status", stem=f"status-{width}")
        snapshot = RunReader(RunDir(root / name), queue=Queue()).read()
        screen = Screen(width=width, height=HEIGHT, unicode=True)
        frame = dashboard(snapshot, screen)
        _save(frame, width=width, title=f"ftdist watch {name}", stem=f"watch-{width}")
    lines = [*_typed(MISTAKES, root=root), *_typed(f"ftdist status {name}", root=root)]
    _write(_record(lines, width=WIDTHS[-1]), title="ftdist", stem="terminal", theme="dark")


def _typed(command: str, *, root: Path) -> list[Text]:
    """A command as typed in the folder of the runs, and its output."""
    done = subprocess.run(
        [sys.executable, "-m", *command.split()],
        cwd=root.parent,
        env=os.environ | {"COLUMNS": str(WIDTHS[-1])},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    return [Text(f"$ {command}", style="bold"), *map(Text, done.stdout.splitlines()), Text()]


def _save(lines: Sequence[Text], *, width: int, title: str, stem: str) -> None:
    console = _record(lines, width=width)
    for theme in THEMES:
        _write(console, title=title, stem=f"{stem}-{theme}", theme=theme)


def _record(lines: Sequence[Text], *, width: int) -> Console:
    console = Console(width=width, record=True, force_terminal=True, file=io.StringIO())
    for line in lines:
        console.print(line)
    return console


def _write(console: Console, *, title: str, stem: str, theme: str) -> None:
    # The format that rich exports, without fonts from the network.
    without_fonts = re.sub(r"@font-face {{.*?}}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    code_format = without_fonts.replace("Fira Code, monospace", FONTS)
    svg = console.export_svg(
        title=title, theme=THEMES[theme], clear=False, code_format=code_format, unique_id=stem
    )
    (IMAGES / f"{stem}.svg").write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
