"""The dataset card of a library: a self-contained HTML page, and a text for the terminal."""

import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from ftdist.io.html import number, percent, render
from ftdist.library.card_sentences import (
    added_sentence,
    counted,
    held_out_sentence,
    probe_forms_sentence,
    probes_sentence,
    without_probe_sentence,
    wordings_sentence,
)
from ftdist.text.terminal import text_console

_WIDTH = 80
_MAX_SOURCES = 12
_MAX_EXAMPLES = 3
"""Limits of the terminal; the page shows more."""


def html_card(card: Mapping[str, Any]) -> str:
    """The card as a page; all that comes from sources is escaped."""
    return render(
        "library/card.html.jinja",
        card=card,
        most=_most,
        forms=probe_forms_sentence(card),
        without_probe=without_probe_sentence(card),
        added=added_sentence(card),
        wordings=wordings_sentence(card),
    )


def text_card(card: Mapping[str, Any], *, folder: Path) -> str:
    """The card for a terminal: sources, cleaning, split, and what is missing."""
    out = io.StringIO()
    # Texts of sources are never markup.
    console = text_console(file=out, width=_WIDTH, highlight=False)
    console.print(_sources(card))
    if len(card["sources"]) > _MAX_SOURCES:
        more_sources = counted(len(card["sources"]) - _MAX_SOURCES, "more source")
        console.print(f"{more_sources}: see the card.")
    if card["rules"]:
        for line in _rules(card):
            console.print(plain(line), no_wrap=True, overflow="ellipsis")
    sentences = (
        added_sentence(card),
        wordings_sentence(card),
        held_out_sentence(card),
        probes_sentence(card),
        without_probe_sentence(card),
    )
    for sentence in filter(None, sentences):
        console.print(plain(sentence))
    if chats := card["chats"]:
        counts = ", ".join(f"{name}: {number(count)}" for name, count in chats.items())
        console.print(f"{counts.capitalize()}.")
    bad = sum(source["bad"] for source in card["sources"])
    for row in card["bad_rows"][:_MAX_EXAMPLES]:
        console.print(plain(f"Left out: {row['location']} {row['reason']}."))
    if bad > _MAX_EXAMPLES:
        console.print(f"Left out: {counted(bad - _MAX_EXAMPLES, 'more row')}; see the card.")
    if card["ignored"]:
        names = ", ".join(card["ignored"][:_MAX_EXAMPLES])
        left = len(card["ignored"]) - _MAX_EXAMPLES
        more = f" and {number(left)} more" if left > 0 else ""
        skipped = counted(len(card["ignored"]), "file")
        console.print(plain(f"Skipped {skipped}: {names}{more}."))
    for sentence in card["missing"]:
        console.print(plain(f"Note: {sentence}"))
    # Paths stay whole, to be copied.
    console.print(f"Library: {folder}\nCard: {folder / 'index.html'}", soft_wrap=True)
    return "\n".join(line.rstrip() for line in out.getvalue().rstrip().splitlines())


def _sources(card: Mapping[str, Any]) -> Table:
    unit = next((size["unit"] for size in card["sizes"].values()), "words")
    table = Table(title=f"Library {card['name']}", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("source", overflow="ellipsis")
    for name in ("rows", "invalid", "duplicates", "samples", unit, "share", "seen"):
        table.add_column(name, justify="right", no_wrap=True)
    for source in card["sources"][:_MAX_SOURCES]:
        size, mix = card["sizes"][source["name"]], card["mix"][source["name"]]
        table.add_row(
            plain(_with_role(source)),
            number(source["rows"]),
            number(source["bad"]),
            number(source["duplicates"]),
            number(size["samples"]),
            number(size["total"]),
            percent(mix["share"]),
            f"{mix['times_seen']:.3g} x",
        )
    return table


def _with_role(source: Mapping[str, Any]) -> str:
    name, role = str(source["name"]), str(source["role"])
    return name if role in ("library", name) else f"{name} ({role})"


def _rules(card: Mapping[str, Any]) -> Iterator[str]:
    """Per rule how often it applied, and lines with the first examples."""
    yield "Cleaning"
    for name, rule in card["rules"].items():
        yield f"  {name}: {number(rule['count'])}"
        yield from (f"    {_example(example)}" for example in rule["examples"][:_MAX_EXAMPLES])


def _example(example: Mapping[str, Any]) -> str:
    repeats = f", repeats {example['kept']}" if "kept" in example else ""
    location = f"[{example['location']}{repeats}]"
    excerpt = plain(example["excerpt"])
    room = max(20, _WIDTH - len(location) - 5)
    return (
        f"{excerpt[: room - 1]}\u2026 {location}"
        if len(excerpt) > room
        else f"{excerpt} {location}"
    )


def plain(text: str) -> str:
    """One line without the control characters that would move a terminal's cursor."""
    return "".join(c if c.isprintable() else " " for c in text)


def _most(histogram: list[list[int]]) -> int:
    return max((count for _, count in histogram), default=1) or 1
