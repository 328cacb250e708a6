"""Pages as a reader sees them."""

import pytest

from ftdist.library.readers.html import parse_html
from ftdist.library.schema import BadRow
from ftdist.library.synthesis.sections import joined
from tests.support.documents.blocks import briefs, notes, read


@pytest.mark.parametrize(
    ("markup", "blocks"),
    [
        ("<p><em>10<br>20</em> mm</p>", ["paragraph: 10\n20 mm"]),
        ("<p><a><b>Fuse F1<br/>2 A</b></a> slow</p>", ["paragraph: Fuse F1\n2 A slow"]),
        ("<h2><span>Reset<br>now</span></h2>", ["heading: Reset now"]),
        ("<h2>Reset<p>now</p></h2>", ["heading: Reset", "paragraph: now"]),
        ("<dl><dt>Lamp<br>on<dd>Dry.<br>Fill.</dl>", ["term: Lamp on", "definition: Dry.\nFill."]),
        ("<dd><p>On.</p><p>Hot.</dd>x", ["definition: On.", "definition: Hot.", "paragraph: x"]),
        ("<ul><li><a><b>One:<br>unplug</b></a> it</ul>", ["item: One:\nunplug it"]),
        ("<div><b>x<div>y</div></b>z</div>", ["paragraph: x", "paragraph: y", "paragraph: z"]),
        ("a<span style='display: block'>b</span>", ["paragraph: a", "paragraph: b"]),
        ("<p>Fu<b>se</b>, 10&nbsp;mm  wide</p>", ["paragraph: Fuse, 10 mm wide"]),
        ("<p>漢<ruby>字<rp>(</rp><rt>じ</rt><rp>)</rp></ruby></p>", ["paragraph: 漢字(じ)"]),
        ("<p>Say <q>yes</q></p>", ['paragraph: Say "yes"']),
        ("<p><b>Is it on?</b><br>Yes.</p>", ["term: Is it on?", "paragraph: Yes."]),
        ("<div class=note><h3>Note</h3>Wait.</div>", ["paragraph: Note", "paragraph: Wait."]),
        ("<summary>Is it on?</summary>Yes.", ["term: Is it on?", "paragraph: Yes."]),
    ],
)  # fmt: skip
def test_line_breaks_and_blocks_keep_words_apart(markup: str, blocks: list[str]) -> None:
    assert briefs(markup) == blocks


@pytest.mark.parametrize(
    ("markup", "markers"),
    [
        ("<ol><li>a<li>b</ol>", ["1.", "2."]),
        ("<ol start=5><li>a<li value=9>b<li>c</ol>", ["5.", "9.", "10."]),
        ("<ol type=a start=26><li>a<li>b</ol>", ["z.", "aa."]),
        ("<ol type=I start=9><li>a<li type=1>b</ol>", ["IX.", "10."]),
        ("<ol style='list-style-type: lower-roman'><li>a<li>b</ol>", ["i.", "ii."]),
        ("<ol style='list-style-type: decimal-leading-zero'><li>a</ol>", ["01."]),
        ("<style>ol.abc{list-style-type: lower-alpha}</style><ol class=abc><li>a</ol>", ["a."]),
        ("<style>ol{list-style: none}</style><ol><li>a</ol>", ["1."]),
        ("<ol><div><li>a</div><ul></ul><li>b</ol>", ["1.", "2."]),
        ("<ol reversed><li>a<li>b<li>c</ol>", ["3.", "2.", "1."]),
        ("<ol reversed start=10><li>a<li>b</ol>", ["10.", "9."]),
        ("<ol style='list-style:none'><li>a</ol><ul><li>b</ul>", ["", ""]),
    ],
)
def test_items_have_the_number_that_the_page_shows(markup: str, markers: list[str]) -> None:
    assert [block.marker for block in read(markup).blocks] == markers


def test_lists_within_lists_are_written_with_their_own_marks() -> None:
    document = read(
        "<ol><li>Open<ol type=a><li>left<li>right</ol><li><p>Close<br>both</p><ul><li>key</ul></ol>"
    )
    assert joined(document.blocks) == ("1. Open\n  a. left\n  b. right\n2. Close\n   both\n  - key")


@pytest.mark.parametrize(
    ("markup", "blocks"),
    [
        ("<ol><li><pre>a --b</pre>Wait.</ol>", ["item: 1. a --b", "paragraph: Wait."]),
        ("<ol><li><pre>a\nb</pre></ol>", ["paragraph: 1.", "code: a\nb"]),
        ("<ol><li><h3>Stop</h3>Wait.</ol>", ["heading: 1. Stop", "paragraph: Wait."]),
        ("<ol><li><img src=k.png><p>Press</p></ol>", ["item: 1. [picture] Press"]),
    ],
)
def test_the_number_of_an_item_stays_whatever_it_begins_with(
    markup: str, blocks: list[str]
) -> None:
    assert briefs(markup) == blocks


@pytest.mark.parametrize(
    ("markup", "title"),
    [
        ("<title>Lamp</title><h1>Lamp<br>L-3</h1>x", "Lamp L-3"),
        ("<!doctype html><title>Lamp</title><main><h1>Lamp</h1><p>x</p></main>", "Lamp"),
        ("<title>Acme | </title><h1>Lamp</h1>x", "Acme: Lamp"),
        ("<title>Lamp manual</title><h1>Start</h1>x<h1>Safety</h1>y", "Lamp manual"),
        ("<h1>Start</h1>x<h1>Safety</h1>y", "lamp"),
        ("<h1>Start</h1>x<h1 hidden>Draft</h1>", "Start"),
        ("x", "lamp"),
    ],
)
def test_one_heading_of_the_first_level_is_the_title_several_are_chapters(
    markup: str, title: str
) -> None:
    assert read(markup).title == title


def test_a_title_that_is_known_comes_before_the_page_s_own() -> None:
    document = parse_html("<h1>Safety</h1>x", name="a", stem="a", title="Boiler")
    assert not isinstance(document, BadRow)
    assert document.title == "Boiler"


@pytest.mark.parametrize("markup", ["<p><img src=a.png></p>", "<nav><a href=/>Home</a></nav>", ""])
def test_a_page_without_words_is_bad(markup: str) -> None:
    bad = parse_html(markup, name="a.html", stem="a")
    assert isinstance(bad, BadRow)
    assert bad.reason == "contains no text"


def test_what_is_left_out_is_noted_with_its_words_once() -> None:
    document = read("<p>Use 5.<del>Use 4.</del></p>" + "<p hidden>Draft</p>" * 3)
    assert [(n.rule, n.excerpt, n.count) for n in document.notes] == [
        ("struck text left out", "Use 4.", 1),
        ("hidden text left out", "Draft", 3),
    ]
    [(_, excerpt)] = notes(f"<p>Use 5.<del>{'long ' * 99}</del></p>")
    assert len(excerpt) == 200
