"""What nobody sees on a page is not read."""

import pytest

from tests.support.documents.blocks import briefs, notes

SEEN = "<p>Hold the key.</p>"


@pytest.mark.parametrize(
    ("hidden", "rule"),
    [
        ("<p style='display: none'>Draft 12</p>", "hidden text left out"),
        ("<p style='VISIBILITY:hidden;color:red'>Draft 12</p>", "hidden text left out"),
        ("<p style='font-size: 0'>Draft 12</p>", "hidden text left out"),
        ("<p style='display:none'><b style='font-size:9px'>Draft 12</b>", "hidden text left out"),
        ("<p hidden>Draft 12</p>", "hidden text left out"),
        ("<p aria-hidden=true>Draft 12</p>", "hidden text left out"),
        ("<p class=d-none>Draft 12</p>", "hidden text left out"),
        ("<dialog>Draft 12</dialog>", "hidden text left out"),
        (
            "<style>s, .s{text-decoration: line-through}</style><i class=s>Draft 12</i>",
            "struck text left out",
        ),
        ("<style>.d, .e {display:none}</style><p class='x d'>Draft 12</p>", "hidden text left out"),
        ("<del>Draft 12</del>", "struck text left out"),
        ("<s>Draft 12</s>", "struck text left out"),
        ("<span style='text-decoration:red line-through'>Draft 12</span>", "struck text left out"),
        ("<!-- Draft 12 -->", "comment left out"),
        ("<canvas>Draft 12</canvas>", "text for other browsers left out"),
    ],
)
def test_text_that_is_not_seen_is_left_out_and_noted(hidden: str, rule: str) -> None:
    assert briefs(SEEN + hidden) == ["paragraph: Hold the key."]
    assert notes(SEEN + hidden) == [(rule, "Draft 12")]


@pytest.mark.parametrize(
    "code", ["<script>x()</script>", "<style>p{}</style>", "<template>x</template>"]
)
def test_code_of_the_page_is_left_out(code: str) -> None:
    assert briefs(SEEN + code) == ["paragraph: Hold the key."]
    assert notes(SEEN + code) == []


@pytest.mark.parametrize(
    "seen",
    [
        "<div hidden=until-found>Wait.</div>",
        "<div role=tabpanel hidden>Wait.</div>",
        "<dialog open>Wait.</dialog>",
        "<div style='opacity: 0'>Wait.</div>",
        "<div style='font-size:0px'><p style='font-size:13px'>Wait.</p></div>",
        "<div style='visibility:hidden'><p style='visibility:visible'>Wait.</p></div>",
        "<p class='d-none d-md-block'>Wait.</p>",
        "<main aria-hidden=true>Wait.</main>",
        "<noscript>Wait.</noscript>",
        "<object data=a.pdf>Wait.</object>",
        "<ins>Wait.</ins>",
        "<a href='#more'></a><div id=more style='display:none'>Wait.</div>",
        "<i onclick='t(this)'></i><div style='display:none'>Wait.</div>",
        "<h2><i aria-expanded=false></i></h2><div hidden>Wait.</div>",
        "<script>$('.answer').slideToggle()</script><p class=answer style='display:none'>Wait.</p>",
        "<b data-bs-target='#more'></b><div id=more style='display:none'>Wait.</div>",
        "<style>.tab{display:none} .tab.on{display:block}</style><p class=tab>Wait.</p>",
        "<style>@media print {.page {display:none}}</style><p class=page>Wait.</p>",
        "<script>show('page')</script><style>.page{display:none}</style><p class=page>Wait.</p>",
    ],
)
def test_text_that_a_reader_sees_or_opens_is_read(seen: str) -> None:
    assert briefs(SEEN + seen) == ["paragraph: Hold the key.", "paragraph: Wait."]


def test_the_panels_of_tabs_are_read_below_their_labels() -> None:
    tabs = "<a role=tab id=w>Windows</a><a role=tab id=m>macOS</a>"
    panel = "<div role=tabpanel aria-labelledby={} hidden>{}</div>".format
    page = f"<div role=tablist>{tabs}</div>{panel('w', 'setup')}{panel('m', 'brew')}"
    assert briefs(page) == [
        f"paragraph: {text}" for text in ("Windows:", "setup", "macOS:", "brew")
    ]
    pane = "<div id={} style='display:none'>{}</div>".format
    linked = "<a data-toggle=tab href='#w'>Windows</a> <a data-bs-toggle=tab href='#m'>macOS</a>"
    assert briefs(f"<p>{linked}</p>{pane('w', 'setup')}{pane('m', 'brew')}") == briefs(page)
    unnamed = page.replace("id=", "data-x=").replace("aria-labelledby=", "data-y=")
    assert briefs(unnamed) == briefs(page)
