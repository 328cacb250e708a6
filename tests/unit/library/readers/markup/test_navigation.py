"""Navigation and forms are left out by what they are, not by the name of the element."""

import pytest

from tests.support.documents.blocks import briefs, notes

SEEN = "<p>Hold the key.</p>"
LINKS = "<a href=/>Home</a> <a href=/d>Manuals</a> <a href=/l>Lamps</a>"


@pytest.mark.parametrize(
    "markup",
    [
        f"<nav>{LINKS}</nav>",
        f"<header>{LINKS}</header>",
        f"<footer>{LINKS} \u00a9 2031 Acme</footer>",
        f"<aside>{LINKS}</aside>",
        f"<div role=navigation>{LINKS}</div>",
        f"<div class=main-menu>{LINKS}</div>",
        "<p class=breadcrumbs><a href=/>Home</a> &gt; <a href=/d>Manuals</a> &gt; Lamps</p>",
        "<a href='#main'>Skip to main content</a>",
        "<div><a href=/>Acme</a> &gt; <a href=/d>Manuals</a> &gt; <a href=/l>Lamps</a></div>",
        "<div class=navheader><table><tr><th colspan=2>Chapter 7. The basics of packages<tr>"
        "<td><a href=6>Prev</a><td><a href=8>Next</a></table></div>",
        "<div class=navfooter><a href=8>Next</a> Chapter 8. The tools that manage packages</div>",
    ],
)
def test_links_to_elsewhere_are_left_out_and_noted(markup: str) -> None:
    assert briefs(markup + SEEN) == ["paragraph: Hold the key."]
    assert [rule for rule, _ in notes(markup + SEEN)] == ["navigation left out"]


@pytest.mark.parametrize(
    "markup",
    [
        "<nav>Hold the red key for six seconds.</nav>",
        "<header><p>Hold the red key for six seconds.</p></header>",
        "<footer>Hold the red key for six seconds.</footer>",
        "<aside class=note>Hold the <a href=/k>red key</a> for six seconds.</aside>",
        "<main><div role=banner>Hold the red key for six seconds.</div></main>",
        "<div class=related>Hold the red key for six seconds.</div>",
        "<form><input>Hold the red key for six seconds.</form>",
        "<form><input type=hidden><p>Hold the red key for six seconds.</p></form>",
        "<form>Hold the red key for six seconds.</form>",
        "<footer>Hold the <a href=/k>red</a> <a href=/k>key</a> for six seconds.</footer>",
        "<p>Hold the red <button>key</button> for six seconds.</p>",
        "<div><b>Hold</b> the red <button>key</button> for six seconds.</div>",
        "<button>Hold</button> the red key for six seconds.",
    ],
)
def test_text_for_readers_stays_wherever_it_is(markup: str) -> None:
    assert briefs(markup) == ["paragraph: Hold the red key for six seconds."]


@pytest.mark.parametrize(
    ("markup", "rule"),
    [
        ("<form><label>Name <input></label><button>Send</button></form>", "form left out"),
        ("<form>Our letter: <input type=email><button>Go</button></form>", "form left out"),
        ("<form><button>Search</button></form>", "form left out"),
        ("<select><option>v1<option>v2</select>", "form left out"),
        ("<div><button>Copy</button></div>", "button left out"),
        (
            "<footer><p>\u00a9 2031 Acme, all rights reserved</p></footer>",
            "copyright line left out",
        ),
    ],
)
def test_what_is_filled_in_or_pressed_is_left_out(markup: str, rule: str) -> None:
    assert briefs(markup + SEEN) == ["paragraph: Hold the key."]
    assert [note for note, _ in notes(markup + SEEN)] == [rule]


@pytest.mark.parametrize(
    ("markup", "block"),
    [
        ("<h2><button>How do I pair?</button></h2>", "heading: How do I pair?"),
        ("<dt><button>Pairing</button></dt>", "term: Pairing"),
        ("<details><summary><button>Why?</button></summary></details>", "term: Why?"),
        ("<div><button>How do I pair?</button></div>", "term: How do I pair?"),
        ("<div><a data-toggle=collapse href='#c'>Why?</a></div>", "term: Why?"),
        ("<button aria-expanded=false>Pairing</button>", "paragraph: Pairing"),
    ],
)
def test_a_button_that_is_a_title_is_read(markup: str, block: str) -> None:
    assert briefs(markup + SEEN) == [block, "paragraph: Hold the key."]


@pytest.mark.parametrize(
    "heading",
    [
        "Reset<a class=headerlink href='#r'>\u00b6</a>",
        "<a href='#r'>#</a>Reset",
        "Reset<a href='#top'><img src=up.png alt=top></a>",
        "Reset <a class=anchor href='#r'>link</a>",
        "Reset<a href='#r' class=hash-link>\u200b</a>",
    ],
)
def test_marks_of_links_are_no_part_of_a_heading(heading: str) -> None:
    assert briefs(f"<h2>{heading}</h2>x")[0].rstrip("\u200b") == "heading: Reset"


def test_a_title_that_is_a_link_is_no_navigation() -> None:
    page = f"<article><header><h1><a href=/p>Pairing</a></h1></header>{SEEN}</article>"
    assert briefs(page) == ["heading: Pairing", "paragraph: Hold the key."]


def test_a_link_in_text_is_no_mark() -> None:
    assert briefs("<p>Press <a href='#plus'>+</a> once</p>") == ["paragraph: Press + once"]
