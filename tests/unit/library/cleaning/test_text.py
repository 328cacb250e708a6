"""Cleaning: words stay apart, scripts stay readable, what nobody sees goes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftdist.library.cleaning.text import clean_row, clean_text
from ftdist.library.schema import Block, Document, Location

LINE_ENDS = ["\r", "\r\n", "\v", "\f", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"]
BLANKS = ["\u00a0", "\u2003", "\u2009", "\u202f", "\x1f", "\x07", "\x00"]
ESCAPES = ["\x1b[1m", "\x1b[0;31m", "\x1b[2K", "\x1b]0;title\x07", "\x1b(B"]


@pytest.mark.parametrize("separator", LINE_ENDS)
def test_every_line_end_becomes_a_line_feed(separator: str) -> None:
    assert clean_text(f"dial to 4{separator}then press 9") == "dial to 4\nthen press 9"


@pytest.mark.parametrize("separator", [*BLANKS, *ESCAPES])
def test_every_other_separator_of_words_becomes_a_blank(separator: str) -> None:
    assert clean_text(f"dial to 4{separator}then press 9") == "dial to 4 then press 9"


WORDS = st.lists(st.text("ab\u00e9\u0436\u05d0\u06a9\u0928\u30ab4", min_size=1), min_size=1)
SEPARATORS = st.sampled_from([*LINE_ENDS, *BLANKS, *ESCAPES, " ", "\n", "\t"])


@settings(deadline=None)
@given(WORDS, st.data())
def test_words_stay_apart_whatever_separates_them(words: list[str], data: st.DataObject) -> None:
    text = words[0] + "".join(data.draw(SEPARATORS) + word for word in words[1:])
    assert clean_text(text).split() == [clean_text(word) for word in words]


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("\x1b[31mred\x1b[0m text, \x1b[1mOK\x1b[0m.", "red text, OK."),
        ("press \x1bQ", "press Q"),  # a stray escape takes no letter with it
        ("\ufb01le \ufb02ow o\ufb03ce", "file flow office"),
        ("co\u00adop\ufeff \u200bx", "coop x"),
        ("no\u200cjoin\u200der", "nojoiner"),
        ("abc\u200edef \u2066g\u2069", "abcdef g"),
        ("(\x07x\x00)", "(x)"),
        ("don\x92t\x85 so", "don\u2019t\u2026 so"),  # letters of Windows read as Latin-1
        ("line  \n\n\n\nend \t", "line\n\nend"),
    ],
)
def test_what_has_no_effect_goes_and_takes_nothing_with_it(text: str, cleaned: str) -> None:
    assert clean_text(text) == cleaned


@pytest.mark.parametrize(
    "text",
    [
        "\u0645\u06cc\u200c\u06a9\u0646\u06cc\u0645",  # Persian
        "\u0dc1\u0dca\u200d\u0dbb\u0dd3",  # Sinhala
        "\u0915\u094d\u200d\u0937",  # Hindi
        "\u0e01\u200b\u0e01",  # Thai
        "\U0001f469\u200d\U0001f527",  # a technician
        "\U0001f3f3\ufe0f\u200d\U0001f308",  # the rainbow flag
        "\U0001f9d1\U0001f3fd\u200d\U0001f680",  # an astronaut with a skin colour
        "\U0001f3f4\U000e0067\U000e0062\U000e007f",  # a regional flag
        "\u2764\ufe0f \u2764\ufe0e",
        "\u05e9\u05dc\u05d5\u05dd\u200f (5)\u200e x",  # Hebrew with direction marks
        "\u7dd1\u3000\u306e",
    ],
)
def test_invisible_characters_that_have_an_effect_stay(text: str) -> None:
    assert clean_text(text) == text


def test_a_heading_stays_one_line() -> None:
    heading = Block(kind="heading", text="Heater\vH-3", level=1)
    code = Block(kind="code", text="stop\u2028start")
    cleaned = clean_row(Document(title="a\vb", blocks=(heading, code), location=Location("a")))
    assert isinstance(cleaned, Document)
    assert [block.text for block in cleaned.blocks] == ["Heater H-3", "stop\nstart"]
    assert cleaned.title == "a b"
