"""Match keys in texts: both are split into words and numbers, which must match as a whole.

Case, punctuation, spacing and Unicode variants of a character do not count; digits do:
"12" is not in "120", nor "page 1" in "page 12", nor "5" in "-5" or "5.5".
"""

import re
import unicodedata
from collections.abc import Iterable
from itertools import pairwise

from ftdist.text.number_words import with_digits

Words = tuple[str, ...]

# Scripts without spaces between words: each character counts as a word, so that a key is
# found inside a sentence. Thai, Lao, Myanmar, Khmer; kana, Chinese characters.
UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
# Indic letters and their vowel signs, which Python's \w leaves out.
INDIC = "\u0900-\u0963\u0970-\u0dff"
WORD = re.compile(
    rf"""
      (?<![\w.,)])-?\d+(?:[.,]\d+)*   # a number, with its sign unless a word precedes it
    | \d+(?:[.,]\d+)*
    | [{UNSPACED}]
    | (?:[^\W\d_{UNSPACED}]|[{INDIC}])+ # letters: "E17" is the word "e", then the number "17"
    | [%\u00b0$\u00a3\u00a5\u20ac]    # percent, degree, currencies: "5 %" is not "5 kg"
    """,
    re.VERBOSE,
)
THOUSANDS = re.compile(r"-?\d{1,3}(?:,\d{3})+(?:\.\d+)?")
MINUS = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2212"), "-")
CITATION = re.compile(r"\s*[(\[][^()\[\]]*\bpage\s+\d+[^()\[\]]*[)\]]", re.IGNORECASE)

_PAGE_OR_SECTION = re.compile(r"\b(?:page|section)\s+\d", re.IGNORECASE)
SECTION = re.compile(r"[(\[][^()\[\]]*\bsection\s+[\"\u201c][^()\[\]]*[)\]]", re.IGNORECASE)

_SCRIPT = re.compile(
    "[\u207a\u207b]?[\u2070\u00b9\u00b2\u00b3\u2074-\u2079]+|[\u208a\u208b]?[\u2080-\u2089]+"
)


def _is_small(character: str) -> bool:
    """Whether it is a fraction or a number in a circle, and neither superscript nor subscript."""
    return unicodedata.category(character) == "No" and not _SCRIPT.fullmatch(character)


def words(text: str) -> Words:
    """Words and numbers of a text, in order, normalised."""
    # Superscripts and fractions are words of their own, with their sign: 10 squared is not "102".
    spread = _SCRIPT.sub(r" \g<0>", text)
    spread = "".join(f" {c}" if _is_small(c) else c for c in spread)
    plain = unicodedata.normalize("NFKC", spread).translate(MINUS).casefold()
    plain = "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in plain)
    matches = WORD.findall(unicodedata.normalize("NFC", plain))
    return tuple(w.replace(",", "") if THOUSANDS.fullmatch(w) else w for w in matches)


def contains_words(text: str, key: str) -> bool:
    """Whether `text` contains the words of `key`, whole, adjacent and in order.

    Small numbers in words equal those in digits: "four years" is in "4 years of warranty".
    """
    key_words = with_digits(words(key))
    return bool(key_words) and key_words in ngrams(with_digits(words(text)), sizes=[len(key_words)])


def ngrams(text: Words, *, sizes: Iterable[int]) -> set[Words]:
    """All n-grams of a text's words, for each n in `sizes`."""
    return {text[i : i + n] for n in sizes for i in range(len(text) - n + 1)}


def contains_all(text: str, keys: Iterable[str]) -> bool:
    """Whether `text` contains every key."""
    return all(contains_words(text, key) for key in keys)


def cited_pages(text: str) -> frozenset[int]:
    """The pages that a text cites as "page N"."""
    return frozenset(
        int(number)
        for word, number in pairwise(words(text))
        if word == "page" and number.isdecimal()
    )


def strip_citation(answer: str) -> str:
    """An answer without its "(... page N)"."""
    return CITATION.sub("", answer).strip() or answer


def has_citation(answer: str) -> bool:
    """Whether an answer cites a location in a document: "(..., page N)", or "see section 3"."""
    return any(pattern.search(answer) for pattern in (CITATION, SECTION, _PAGE_OR_SECTION))
