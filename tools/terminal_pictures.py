"""Pictures of `ftdist status` and `ftdist watch` for the documents, from real runs.

    python -m tools.terminal_pictures RUNS RUN

writes docs/images/status-*.svg and docs/images/watch-*.svg, for a light and a dark terminal. RUNS
is a folder of runs, and RUN the one to watch; both are shown as they are at that moment.
"""

import io
import re
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


def _save(lines: Sequence[Text], *, width: int, title: str, stem: str) -> None:
    console = Console(width=width, record=True, force_terminal=True, file=io.StringIO())
    for line in lines:
        console.print(line, soft_wrap=True)
    # The format that rich exports, without fonts from the network.
    without_fonts = re.sub(r"@font-face {{.*?}}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    code_format = without_fonts.replace("Fira Code, monospace", FONTS)
    for theme, colours in THEMES.items():
        svg = console.export_svg(
            title=title, theme=colours, clear=False, code_format=code_format, unique_id=stem
        )
        (IMAGES / f"{stem}-{theme}.svg").write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
