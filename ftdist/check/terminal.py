"""The findings of `ftdist check` on a terminal."""

from itertools import groupby

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ftdist.check.findings import Finding, Piece, Report, ShownSample, SourceFigures
from ftdist.check.whitespace import visible
from ftdist.text.terminal import plain

_SAMPLES = 3
_MAX_RUN = 80
"""A run of more tokens that are all learned, or all not, is shortened."""

STYLES = {"ok": "green", "warning": "yellow", "failed": "bold red"}


def print_report(report: Report, console: Console) -> None:
    """Print the findings, the sources and a few samples."""
    console.print(_findings_table(report.worst_first))
    if report.sources:
        console.print(_sources_table(report.sources))
        if not report.all_rows:
            console.print(
                "A sample of the rows was read, evenly spaced over the files; --all reads every "
                "row.",
                soft_wrap=True,
            )
    if report.samples:
        colored = console.color_system is not None
        console.print()
        console.print(_legend(colored))
        for sample in report.samples[:_SAMPLES]:
            console.print()
            console.print(_sample(sample, colored=colored))
        console.print()


def _findings_table(findings: list[Finding]) -> Table:
    table = Table(show_lines=False)
    table.add_column("check", no_wrap=True)
    table.add_column("result", no_wrap=True)
    table.add_column("what was found", overflow="fold")
    for finding in findings:
        text = Text(plain(finding.message))
        if finding.remedy:
            text.append(f"\nTo fix: {plain(finding.remedy)}", style="bold")
        if finding.other_trainers:
            text.append(f"\nOther trainers: {plain(finding.other_trainers)}", style="dim")
        table.add_row(finding.check, Text(finding.status, style=STYLES[finding.status]), text)
    return table


def _sources_table(sources: list[SourceFigures]) -> Table:
    # Without lines, so that its columns fit a terminal of 80.
    table = Table(
        title="Sources, of the rows that were read; lengths in tokens",
        box=None,
        pad_edge=False,
        collapse_padding=True,
    )
    table.add_column("source", overflow="fold")
    for name in (*("rows", "tokens", "learned", "p50", "p95", "longest", "too long", "padding"),):
        table.add_column(name, justify="right")
    for each in sources:
        learned = each.loss_tokens / each.tokens if each.tokens else 0.0
        table.add_row(
            plain(each.name),
            *(f"{number:,}" for number in (each.rows, each.tokens)),
            f"{learned:.1%}",
            *(f"{number:,}" for number in (each.p50, each.p95, each.longest, each.overlong)),
            f"{each.padding:.1%}",
        )
    return table


def _legend(colored: bool) -> Text:
    text = Text("Samples as the model sees them. ")
    if colored:
        text.append("Learned", style="bold green")
        text.append(", ")
        text.append("context", style="dim")
        text.append(", ")
        text.append("special token", style="reverse")
        text.append(".")
    else:
        text.append("What is learned stands between [[ and ]].")
    return text


def _sample(sample: ShownSample, *, colored: bool) -> Text:
    share = sample.loss_tokens / max(1, sample.tokens)
    text = Text()
    text.append(
        f"{plain(sample.location)}: {sample.tokens:,} tokens, {share:.0%} learned\n",
        style="underline",
    )
    for learned, run in groupby(sample.pieces, key=lambda piece: piece[2]):
        shown = _shortened(list(run))
        if learned and not colored:
            text.append("[[")
        for piece, _, _, special in shown:
            style = "bold green" if learned else "dim"
            text.append(visible(piece), style=f"{style} reverse" if special else style)
        if learned and not colored:
            text.append("]]")
    text.rstrip()
    return text


def _shortened(run: list[Piece]) -> list[Piece]:
    if len(run) <= _MAX_RUN:
        return run
    half, learned = _MAX_RUN // 2, run[0][2]
    left_out = sum(len(ids) for _, ids, _, _ in run[half:-half])
    return [*run[:half], (f" [... {left_out:,} tokens ...] ", [], learned, False), *run[-half:]]
