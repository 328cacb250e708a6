"""The card of a library: one HTML file that opens anywhere, and a text for the terminal."""

import io
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
from rich.console import Console
from rich.table import Table

_WIDTH = 100


def html_card(card: Mapping[str, Any]) -> str:
    """The card as a page; all that comes from sources is escaped."""
    text = files("ftdist.library").joinpath("card.html.jinja").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["number"] = _number
    environment.filters["percent"] = _percent
    return environment.from_string(text).render(card=card, most=_most)


def text_card(card: Mapping[str, Any], *, folder: Path) -> str:
    """The card for a terminal: what there is, what went, what is missing."""
    console = Console(file=io.StringIO(), width=_WIDTH, force_terminal=False)
    console.print(_sources(card))
    if card["rules"]:
        console.print(_rules(card))
    split, probes = card["split"], card["probes"]
    console.print(
        f"Held out: {split['held_out_units']} conversations and documents; "
        f"{split['shared_left']} of their {_number(split['ngrams_checked'])} runs of "
        f"{split['words']} words stand in training. "
        f"Probes: {probes['number']}; {probes['shared_left']} shared.",
        soft_wrap=True, highlight=False,
    )  # fmt: skip
    for row in card["bad_rows"][:3]:
        console.print(f"Left out: {row['place']} {row['reason']}.", highlight=False, markup=False)
    for sentence in card["missing"]:
        console.print(f"Missing: {sentence}", highlight=False, soft_wrap=True)
    console.print(f"Library: {folder}\nCard: {folder / 'index.html'}", soft_wrap=True)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().rstrip()


def _sources(card: Mapping[str, Any]) -> Table:
    unit = next((size["unit"] for size in card["sizes"].values()), "words")
    table = Table(title=f"Library {card['name']}")
    table.add_column("source")
    for name in ("role", "rows", "bad", "duplicates", "samples", unit, "share", "times seen"):
        table.add_column(name, justify="left" if name == "role" else "right")
    for source in card["sources"]:
        size, mix = card["sizes"][source["name"]], card["mix"][source["name"]]
        table.add_row(
            source["name"],
            source["role"],
            _number(source["rows"]),
            _number(source["bad"]),
            _number(source["duplicates"]),
            _number(size["samples"]),
            _number(size["total"]),
            _percent(mix["share"]),
            f"{mix['times_seen']:g}",
        )
    return table


def _rules(card: Mapping[str, Any]) -> Table:
    table = Table(title="What cleaning did")
    table.add_column("rule", no_wrap=True)
    table.add_column("times", justify="right", no_wrap=True)
    table.add_column("for example", overflow="ellipsis", no_wrap=True, max_width=_WIDTH - 40)
    for name, rule in card["rules"].items():
        first = next((v for v in rule["victims"] if v["place"]), None)
        example = "" if first is None else f"{first['place']}: {first['excerpt']}"
        table.add_row(name, _number(rule["count"]), example)
    return table


def _most(histogram: list[list[int]]) -> int:
    return max((count for _, count in histogram), default=1) or 1


def _number(value: float) -> str:
    return f"{value:,}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
