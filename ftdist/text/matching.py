"""Whether a text holds a key: both are cut into words and numbers, which must match whole.

Case, punctuation, spacing and the way in which Unicode writes a character do not count; digits do:
"12" is not in "120", nor "page 1" in "page 12", nor "5" in "-5" or "5.5".
"""

import re
import unicodedata
from collections.abc import Iterable
from itertools import pairwise

Words = tuple[str, ...]

# Scripts that set no spaces between words: each character counts as a word, so that a key is
# found inside a sentence. Thai, Lao, Myanmar, Khmer; kana, Chinese characters.
UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
# Indic letters and their vowel signs, which Python's \w leaves out.
INDIC = "\u0900-\u0963\u0970-\u0dff"
WORD = re.compile(
    rf"""
      (?<![\w.,)])-?\d+(?:[.,]\d+)*   # a number, with its sign where no word stands before it
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

_PLACE = re.compile(r"\b(?:page|section)\s+\d", re.IGNORECASE)
SECTION = re.compile(r"[(\[][^()\[\]]*\bsection\s+[\"\u201c][^()\[\]]*[)\]]", re.IGNORECASE)


def words(text: str) -> Words:
    """Words and numbers of a text, in order, each written in one way."""
    # Superscripts and fractions stand apart: 10 squared is not "102".
    spread = "".join(f" {c}" if unicodedata.category(c) == "No" else c for c in text)
    plain = unicodedata.normalize("NFKC", spread).translate(MINUS).casefold()
    plain = "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in plain)
    found = WORD.findall(unicodedata.normalize("NFC", plain))
    return tuple(w.replace(",", "") if THOUSANDS.fullmatch(w) else w for w in found)


def contains_words(text: str, key: str) -> bool:
    """Whether the words of `key` stand in `text`, whole, together and in order."""
    haystack, needle = words(text), words(key)
    starts = range(len(haystack) - len(needle) + 1)
    return bool(needle) and any(haystack[at : at + len(needle)] == needle for at in starts)


def ngrams(said: Words, *, of: Iterable[int]) -> set[Words]:
    """All runs of so many words in what `words` found."""
    return {said[at : at + size] for size in of for at in range(len(said) - size + 1)}


def contains_all(text: str, keys: Iterable[str]) -> bool:
    """Whether `text` holds every key."""
    return all(contains_words(text, key) for key in keys)


def cited_pages(text: str) -> frozenset[int]:
    """The pages that a text names as "page N"."""
    found = words(text)
    return frozenset(
        int(number) for word, number in pairwise(found) if word == "page" and number.isdecimal()
    )


def strip_citation(answer: str) -> str:
    """An answer without its "(... page N)"."""
    return CITATION.sub("", answer).strip() or answer


def has_citation(answer: str) -> bool:
    """Whether an answer names a place in a document: "(..., page N)", or "see section 3"."""
    return any(pattern.search(answer) for pattern in (CITATION, SECTION, _PLACE))
