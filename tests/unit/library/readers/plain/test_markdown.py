"""Markdown is read as the page that it becomes."""

import pytest

from ftdist.library.readers.plain.markdown import parse_markdown
from ftdist.library.schema import Document
from tests.support.documents.blocks import brief


def read(text: str) -> Document:
    document = parse_markdown(text, name="lamp.md", stem="lamp")
    assert isinstance(document, Document), document
    return document


def briefs(text: str) -> list[str]:
    return [brief(block) for block in read(text).blocks]


@pytest.mark.parametrize(
    ("text", "blocks"),
    [
        ("Reset\n=====\n\nHold\nit.", ["heading: Reset", "paragraph: Hold it."]),
        ("One  \ntwo\\\nthree<br>four", ["paragraph: One\ntwo\nthree\nfour"]),
        ("From\n1. March 2031", ["paragraph: From", "item: 1. March 2031"]),
        ("At most\n12. Never more.", ["paragraph: At most 12. Never more."]),
        ("3. a\n4. b", ["item: 3. a", "item: 4. b"]),
        ("9) a\n1) b", ["item: 9) a", "item: 10) b"]),
        ("1. a\n1. b\n   - c", ["item: 1. a", "item: 2. b", "item: c"]),
        ("- [x] done\n- [ ] open", ["item: [x] done", "item: [ ] open"]),
        ("---\n\nBetween rules.\n\n---\n", ["paragraph: Between rules."]),
        ("[TOC]\n\n{% hint %}\nUse it.\n{% endhint %}", ["paragraph: Use it."]),
        ("[![](badge.svg)](x) Text", ["paragraph: Text"]),
        ("A | B\n--|--\n1<br>2 | a\\|b", ["table: # A | B // 1\n2 | a|b"]),
        ("```sh\nif x:\n    y()\n```", ["code: if x:\n    y()"]),
        ("    a\n      b", ["code: a\n  b"]),
        ("10<sup>6</sup> and CO<sub>2</sub>", ["paragraph: 10⁶ and CO₂"]),
        ("Term\n: Its *meaning*.", ["term: Term", "definition: Its meaning."]),
        ("![Red key](k.png) or ![](l.png)", ["paragraph: Red key or [picture]"]),
        ("Costs $5 or $6, $x_1 * x_2$", ["paragraph: Costs $5 or $6, $x_1 * x_2$"]),
        ("A note[^1].\n\n[^1]: Only F-2.", ["paragraph: A note.", "item: 1. Only F-2."]),
        ("## Reset {#reset}\nx", ["heading: Reset", "paragraph: x"]),
        ("> [!WARNING]\n> Hot.", ["paragraph: Warning: Hot."]),
        (":::tip Wiring\n\nUse it.\n\n:::", ["paragraph: Wiring", "paragraph: Use it."]),
        ('!!! note "Hot"\n    Do not\n    touch.', ["paragraph: Hot", "paragraph: Do not touch."]),
    ],
)  # fmt: skip
def test_markdown_is_read_as_it_is_shown(text: str, blocks: list[str]) -> None:
    assert briefs(text) == blocks


@pytest.mark.parametrize(
    ("text", "blocks"),
    [
        (
            "<table><tr><th>A<th>B<tr><td rowspan=2>x<td>1<tr><td>2</table>",
            ["table: # A | B // x | 1 // x | 2"],
        ),
        (
            "<details>\n<summary>How long?</summary>\n\nTwo *days*.\n\n</details>",
            ["term: How long?", "paragraph: Two days."],
        ),
        (
            "<Tabs>\n<TabItem value='w' label='Windows'>\n\nRun it.\n\n</TabItem>\n</Tabs>",
            ["paragraph: Windows:", "paragraph: Run it."],
        ),
        (
            "Run <command>, the <title> and the <del> tag, <b>now</b>.\n\nWait.",
            ["paragraph: Run <command>, the <title> and the <del> tag, now.", "paragraph: Wait."],
        ),
    ],
)
def test_html_in_markdown_is_read_as_html(text: str, blocks: list[str]) -> None:
    assert briefs(text) == blocks


@pytest.mark.parametrize(
    ("text", "notes"),
    [
        ("<!-- old: press <b>blue</b> -->\nx", [("comment left out", "old: press blue")]),
        ("<!--\nold -> blue\n\nmore\n-->\n\nx", [("comment left out", "old -> blue more")]),
        ("x<!-- a > b -->", [("comment left out", "a > b")]),
        ("{/* old\nkey */}\nx", [("comment left out", "old\nkey")]),
        ("~~Press blue.~~ x", [("struck text left out", "Press blue.")]),
        ("<script>\nrun()\n</script>\n\nx", []),
        ("<style>\np {}\n</style>\n\nx", []),
        ("import Tabs from '@theme/Tabs';\n\nx", []),
        ("import {\n  A,\n} from 'a'\nexport const b = {\n  c: 1,\n}\n\nx", []),
    ],
)
def test_what_is_not_shown_is_left_out(text: str, notes: list[tuple[str, str]]) -> None:
    assert briefs(text) == ["paragraph: x"]
    assert [(note.rule, note.excerpt) for note in read(text).notes] == notes


def test_code_that_shows_comments_and_imports_stays() -> None:
    code = "import a from 'b'\n{/* c */}\n:::note\n!!! d\n    e"
    assert briefs(f"```\n{code}\n```") == [f"code: {code}"]
    assert briefs("Write `{/* c */}` or `<!-- d -->`") == [
        "paragraph: Write {/* c */} or <!-- d -->"
    ]


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("---\ntitle: Lamp L-3\n---\n# Reset\nx", "Lamp L-3"),
        ("+++\ntitle = 'Lamp L-3'\n+++\nx", "Lamp L-3"),
        ("# Reset\nx\n## When\ny", "Reset"),
        ("## Reset\nx\n### When\ny\n### How\nz", "Reset"),
        ("# Reset\nx\n# Pair\ny", "lamp"),
        ("---\ntitle: [broken\n---\nx", "lamp"),
        ("x", "lamp"),
    ],
)
def test_the_title_is_that_of_the_front_matter_or_the_only_heading_on_top(
    text: str, title: str
) -> None:
    assert read(text).title == title
