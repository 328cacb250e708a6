"""The card of a library: a page that opens anywhere, and a text that fits a terminal."""

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from ftdist.library.dataset_card import html_card, text_card

HOSTILE = "</p><script>alert(1)</script> [/bold] [red]x[/red] :smile: \x1b[31m\x07"


def _size(**more: Any) -> dict[str, Any]:
    return {
        "unit": "tokens", "samples": 40, "held_out_samples": 2, "total": 2000, "trained": 500,
        "zero_label": 3, "quantiles": [10, 50, 90, 1500], "histogram": [[10, 30], [760, 10]],
        "too_long": 1, "sequences": 2, "fill": 0.9766, **more,
    }  # fmt: skip


def _source(name: str, role: str = "library", **more: Any) -> dict[str, Any]:
    return {
        "name": name, "role": role, "weight": 1.0, "files": {}, "rows": 12345, "bad": 2,
        "duplicates": 7, "held_out": 4, **more,
    }  # fmt: skip


def _card(**more: Any) -> dict[str, Any]:
    out_of_scope = _source("out_of_scope", "out_of_scope")
    return {
        "name": "widget",
        "sources": [_source("manuals"), out_of_scope],
        "shares": {"replay": 0.0, "out_of_scope": 0.1},
        "mix": {
            "manuals": {"share": 0.9, "times_seen": 1.0},
            "out_of_scope": {"share": 0.1, "times_seen": 2.125},
        },
        "settings": {"library": {"name": "widget"}, "model": {"sequence_length": 1024}},
        "versions": {"pypdfium2": "5.15.2"},
        "files": [{"source": "manuals", "name": "a45.pdf", "kind": "pdf"}],
        "rules": {
            "near duplicate": {
                "count": 7,
                "examples": [
                    {
                        "location": "manuals: b.pdf, page 3", "excerpt": "Hold the button.",
                        "kept": "manuals: a.pdf, page 2", "kept_excerpt": "Hold the red button.",
                        "similarity": 0.875,
                    }
                ],
            },
            "private: e-mail": {
                "count": 2,
                "examples": [{"location": "manuals: a.pdf", "excerpt": ""}],
            },
        },
        "bad_rows": [{"location": "manuals: x.jsonl, row 3", "reason": "is no JSON", "remedy": ""}],
        "ignored": ["manuals: a.zip"],
        "made_by": {"passage": 30, "wording": 10},
        "chats": {"calls": 3, "conversations with tools": 2},
        "split": {
            "words": 13, "held_out": 4, "moved_back": 1, "ngrams_checked": 1723,
            "training_ngrams": 403051,
        },
        "probes": {
            "number": 46, "fact": 40, "out_of_scope": 6, "out_of_scope_ngram": 8, "dropped": 59,
            "ngrams_checked": 51, "training_ngrams": 9, "forms": {"reworded": 40},
        },
        "facts": {"facts": 40, "facts without a key": 1},
        "products": ["A-45"],
        "shown_probes": [{"question": "Who?", "keys": ["I"], "answer": "I do."}],
        "missing": ["Nothing protects what the base model knows."],
        "sizes": {"manuals": _size(), "out_of_scope": _size(trained=1000)},
        "samples": [
            {
                "source": "manuals", "location": "manuals: a.pdf, page 2", "made_by": "faq",
                "parts": [
                    {"role": "user", "text": "Who asks?", "trained": False},
                    {"role": "assistant", "text": "I do.", "trained": True},
                ],
            }
        ],
        **more,
    }  # fmt: skip


class _Page(HTMLParser):
    """Tags that are open at the end, all tags met, marked text, and links."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.marked = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "mark" in self.open:
            self.marked += data + "|"


def test_html_is_well_formed_and_self_contained() -> None:
    page = _Page(html_card(_card()))
    assert page.open == []
    names = {tag for tag, _ in page.tags}
    assert not names & {"script", "link", "img", "iframe", "a"}
    assert "url(" not in html_card(_card())


def test_tables_have_captions_and_scopes_and_bars_have_text() -> None:
    page = _Page(html_card(_card()))
    tags = [tag for tag, _ in page.tags]
    assert tags.count("caption") == tags.count("table") >= 3
    assert all("scope" in attrs for tag, attrs in page.tags if tag == "th")
    bars = [attrs for _, attrs in page.tags if attrs.get("role") == "img"]
    assert [attrs["aria-label"] for attrs in bars] == [
        "lengths from 10 to 1500, half below 50"
    ] * 2  # fmt: skip
    assert page.tags[0] == ("html", {"lang": "en"})
    scrolling = [attrs for _, attrs in page.tags if attrs.get("class") == "wide"]
    assert all(attrs["tabindex"] == "0" and attrs["aria-label"] for attrs in scrolling)


def test_only_trained_text_is_marked() -> None:
    assert _Page(html_card(_card())).marked == "marked and underlined|I do.|"


def test_card_shows_counts_shares_and_pairs() -> None:
    page = html_card(_card())
    for output in (
        "12,345", "25.0 %", "97.7 %", "2.125", "kept: manuals: a.pdf, page 2 (88 % alike)",
        "Hold the red button.", "is no JSON", "a.zip",
        "Nothing protects what the base model knows.", "A-45",
    ):  # fmt: skip
        assert output in page


def test_card_counts_tools_and_calls() -> None:
    assert "Among them: calls: 3, conversations with tools: 2." in html_card(_card())
    assert "Calls: 3, conversations with tools: 2." in text_card(
        _card(), folder=Path("libraries/kettle")
    )


def test_hostile_text_is_escaped_everywhere() -> None:
    victim = {"location": HOSTILE, "excerpt": HOSTILE}
    part = {"role": "user", "text": HOSTILE, "trained": True}
    card = _card(
        missing=[HOSTILE], ignored=[HOSTILE], products=[HOSTILE],
        rules={HOSTILE: {"count": 1, "examples": [victim]}}, settings={"model": {
        "sequence_length": 8}, "x": HOSTILE}, bad_rows=[{"location": HOSTILE, "reason": HOSTILE,
        "remedy": HOSTILE}], files=[{"source": HOSTILE, "name": HOSTILE, "kind": "pdf"}],
        samples=[{"source": HOSTILE, "location": HOSTILE, "made_by": "faq", "parts": [part]}],
    )  # fmt: skip
    page = _Page(html_card(card))
    assert page.open == []
    assert "script" not in {tag for tag, _ in page.tags}
    text = text_card(card, folder=Path("libraries/widget"))
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "[/bold]" in text
    assert ":smile:" in text


def test_the_same_card_gives_the_same_bytes() -> None:
    assert html_card(_card()) == html_card(_card())


def test_without_a_model_sizes_are_in_words_and_packing_is_omitted() -> None:
    words = _size(unit="words", trained=None, zero_label=None, sequences=0, fill=0.0)
    page = html_card(_card(sizes={"manuals": words, "out_of_scope": words}))
    assert "Words of a sample." in page
    assert "packing" not in page


@pytest.mark.parametrize("name", ["manuals", "a" * 64])
def test_the_text_fits_eighty_columns(name: str) -> None:
    rules = {
        f"rule {n}": {"count": n, "examples": [{"location": "p" * 90, "excerpt": "e" * 90}]}
        for n in range(12)
    }
    mix = {
        name: {"share": 0.9, "times_seen": 1.0},
        "out_of_scope": {"share": 0.1, "times_seen": 2.125},
    }
    card = _card(
        name=name, sources=[_source(name, rows=12345678), _card()["sources"][1]], mix=mix,
        sizes={name: _size(total=123456789), "out_of_scope": _size()}, rules=rules,
    )  # fmt: skip
    lines = text_card(card, folder=Path("libraries/widget")).splitlines()
    assert max(map(len, lines)) <= 80
    assert "12,345,678" in "\n".join(lines)
    assert "123,456,789" in "\n".join(lines)


def test_a_long_source_list_is_truncated_with_the_remaining_count() -> None:
    names = [f"source{number}" for number in range(30)]
    card = _card(
        sources=[_source(name) for name in names],
        mix={name: {"share": 1 / 30, "times_seen": 1.0} for name in names},
        sizes={name: _size() for name in names},
    )
    text = text_card(card, folder=Path("libraries/widget"))
    assert "source11 " in text
    assert "source12" not in text
    assert "18 more sources: see the card." in text


def test_a_rule_is_printed_with_its_count_and_first_three_examples() -> None:
    examples = [{"location": f"m: a{n}.pdf", "excerpt": f"Tighten to {n} Nm"} for n in range(5)]
    card = _card(rules={"header left out": {"count": 7, "examples": examples}})
    lines = text_card(card, folder=Path("libraries/widget")).splitlines()
    first = lines.index("  header left out: 7")
    assert lines[first + 1 : first + 6] == [
        "    Tighten to 0 Nm [m: a0.pdf]",
        "    Tighten to 1 Nm [m: a1.pdf]",
        "    Tighten to 2 Nm [m: a2.pdf]",
        "Added: 40 out-of-scope samples.",
        "Held out: 4 documents and conversations.",
    ]


def test_skipped_files_and_further_invalid_rows_are_counted() -> None:
    bad = [
        {"location": f"m: x.jsonl, row {n}", "reason": "is no JSON", "remedy": ""} for n in range(9)
    ]
    source = {**_card()["sources"][0], "bad": 9}
    other = {**_card()["sources"][1], "bad": 0}
    card = _card(
        bad_rows=bad, ignored=["m: a.zip", "m: b.zip", "m: c.exe", "m: d.exe"],
        sources=[source, other],
    )  # fmt: skip
    text = text_card(card, folder=Path("libraries/widget"))
    assert text.count("is no JSON") == 3
    assert "Left out: 6 more rows; see the card." in text
    assert "Skipped 4 files: m: a.zip, m: b.zip, m: c.exe and 1 more." in text
