"""The live view of one run: pure functions of a snapshot and of the terminal's size."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.text import Text

from ftdist.cli.views.columns import shorten
from ftdist.cli.views.dashboard_rows import (
    attempt_facts,
    evaluation_facts,
    loss_facts,
    resource_facts,
    source_facts,
    speed_facts,
    stage_facts,
)
from ftdist.cli.views.event_text import newest_events
from ftdist.cli.views.plot import Series, plot
from ftdist.cli.views.run_snapshot import RunSnapshot
from ftdist.cli.views.state_text import STYLES, describe_state, next_command
from ftdist.io.units import format_duration
from ftdist.observe.metric_history import running_mean
from ftdist.observe.metrics import HELD_OUT_LOSS, LOSS, STEP

MEAN_STEPS = 20
"""How many steps the running mean of the loss covers."""

MIN_PLOT_LINES = 5
MAX_PLOT_LINES = 16
MAX_EVENTS = 5
LABEL_WIDTH = 11


@dataclass(frozen=True, kw_only=True)
class Screen:
    """What a terminal can show."""

    width: int
    height: int | None
    """Lines; None: without limit."""

    unicode: bool


def dashboard(snapshot: RunSnapshot, screen: Screen) -> list[Text]:
    """The lines of the view: at most `screen.width` wide and `screen.height` high.

    Where the terminal is too low, the plot shrinks first, then the older events go.
    """
    header = _header(snapshot, screen)
    facts = _facts(snapshot, screen)
    events = newest_events(snapshot.events, count=MAX_EVENTS)
    footer = _footer(snapshot)
    room = _room(screen, used=len(header) + len(facts) + len(footer) + 2)
    num_events = min(len(events), max(1, room - MIN_PLOT_LINES - 1))
    plot_lines = min(MAX_PLOT_LINES, room - num_events - 1)
    lines = [*header, *_plot(snapshot, screen, height=plot_lines), *facts]
    lines += [_event_line(*event) for event in events[len(events) - num_events :]]
    lines += footer
    fitted = [shorten(line, screen.width) if len(line) > screen.width else line for line in lines]
    return fitted if screen.height is None else _cut(fitted, screen.height, keep=len(footer))


def _room(screen: Screen, *, used: int) -> int:
    """Lines for plot and events."""
    if screen.height is None:
        return used + MAX_PLOT_LINES  # enough for both
    return max(2, screen.height - used)


def _cut(lines: list[Text], height: int, *, keep: int) -> list[Text]:
    if len(lines) <= height:
        return lines
    return [*lines[: height - keep], *lines[len(lines) - keep :]]


def _header(snapshot: RunSnapshot, screen: Screen) -> list[Text]:
    """Name, state and clock; then the progress bar."""
    status = snapshot.status
    clock = time.strftime("%H:%M:%S", time.localtime(snapshot.now))
    title = Text().append(f"{status.name}  ", style="bold")
    title.append(describe_state(status), style=STYLES.get(status.state, ""))
    title.truncate(screen.width - len(clock) - 2, overflow="ellipsis")
    title.append(" " * (screen.width - len(title) - len(clock)))
    return [title.append(clock, style="dim"), _progress(snapshot, screen)]


def _progress(snapshot: RunSnapshot, screen: Screen) -> Text:
    status = snapshot.status
    step, steps = status.step, status.steps or 0
    text = f"step {step}/{steps or '?'}"
    end = f"{step / steps:.0%}" if steps else ""
    if status.state == "running" and status.eta_s is not None:
        finish = time.localtime(snapshot.now + status.eta_s)
        pattern = "%H:%M" if status.eta_s < 43200 else "%a %H:%M"
        end += (
            f"  {format_duration(status.eta_s)} left, done about {time.strftime(pattern, finish)}"
        )
    room = screen.width - len(text) - len(end) - 4
    if room < 5 or not steps:
        return Text(f"{text}  {end}".rstrip())
    full = round(room * min(1.0, step / steps))
    done, rest = ("█", "░") if screen.unicode else ("#", ".")
    line = Text(f"{text}  ")
    line.append(done * full, style="green").append(rest * (room - full), style="dim")
    return line.append(f"  {end}")


def _plot(snapshot: RunSnapshot, screen: Screen, *, height: int) -> list[Text]:
    """Loss of each step, its running mean, and the held-out loss."""
    if height < 3:
        return []
    pairs = [(row[STEP.name], row[LOSS.name]) for row in snapshot.rows if LOSS.name in row]
    held_out = [
        (row[STEP.name], row[HELD_OUT_LOSS.name])
        for row in snapshot.rows
        if HELD_OUT_LOSS.name in row
    ]
    if len(pairs) < 2:
        return [Text("The loss curve appears after the second step.", style="dim")]
    means = running_mean([loss for _, loss in pairs], steps=MEAN_STEPS)
    smooth = [(step, mean) for (step, _), mean in zip(pairs, means, strict=True)]
    series = [
        Series(points=pairs, style="dim", mark="."),
        Series(points=smooth, style="bold green", mark="*"),
        Series(points=held_out, style="bold magenta", mark="o", is_marked=True),
    ]
    legend = Text().append("loss", style="dim")
    legend.append(f"  {'━' if screen.unicode else '*'} mean of {MEAN_STEPS} steps", "bold green")
    if held_out:
        legend.append("  o held-out", style="bold magenta")
    lines = plot(series, width=screen.width, height=height - 2, unicode=screen.unicode)
    return [legend, *lines]


FACTS: tuple[tuple[str, Callable[[RunSnapshot, bool], Sequence[str]]], ...] = (
    ("loss", loss_facts),
    ("sources", source_facts),
    ("speed", speed_facts),
    ("resources", resource_facts),
    ("evaluation", evaluation_facts),
    ("attempts", attempt_facts),
    ("stages", stage_facts),
)
"""Label, and what follows it in one or more lines."""


def _facts(snapshot: RunSnapshot, screen: Screen) -> list[Text]:
    lines = []
    for label, describe in FACTS:
        for index, text in enumerate(describe(snapshot, screen.unicode)):
            line = Text(f"{label if index == 0 else '':<{LABEL_WIDTH}}", style="bold")
            lines.append(line.append(text, style="not bold"))
    return lines


def _event_line(at: float, text: str) -> Text:
    clock = time.strftime("%H:%M:%S", time.localtime(at))
    return Text(f"{clock:<{LABEL_WIDTH}}", style="dim").append(text, style="not dim")


def _footer(snapshot: RunSnapshot) -> list[Text]:
    """Why it failed, the next command, and how to leave."""
    status, lines = snapshot.status, []
    if status.error is not None:
        lines.append(Text(status.error, style="bold red"))
    if status.remedy is not None:
        lines.append(Text(f"To fix: {status.remedy}"))
    if status.note is not None:
        lines.append(Text(status.note, style="dim"))
    following = next_command(status, cli_name=snapshot.cli_name)
    if following is not None:
        lines.append(Text(f"Next: {following}", style="bold"))
    return lines
