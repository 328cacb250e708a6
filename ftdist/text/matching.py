"""Match keys in texts: both are split into words and numbers, which must match as a whole.

Case, punctuation, spacing and Unicode variants of a character do not count, nor do variants of a
quantity or a plural (`unify`). Digits do: "12" is not in "120", nor "page 1" in "page 12", nor "5"
in "-5", "5.5", "5:30" or "E5".
"""

import re
import unicodedata
from collections.abc import Iterable
from itertools import pairwise

from ftdist.text.variants import UNITS, is_number, unify

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
_BRACKETS = r"\((?:[^()]|\([^()]*\))*, section \"(?:[^()\"]|\([^()]*\))*\"\)"
_SECTION_AT_END = re.compile(rf"^{_BRACKETS}\s*|\s*{_BRACKETS}$")
"""The source that `with_citation` puts before an answer, or one behind it."""

_SCRIPT = re.compile(
    "[\u207a\u207b]?[\u2070\u00b9\u00b2\u00b3\u2074-\u2079]+|[\u208a\u208b]?[\u2080-\u2089]+"
)


def _is_small(character: str) -> bool:
    """Whether it is a fraction or a number in a circle, and neither superscript nor subscript."""
    return unicodedata.category(character) == "No" and not _SCRIPT.fullmatch(character)


def words(text: str) -> Words:
    """Words and numbers of a text, in order, normalised."""
    return tuple(_word(match[0]) for match in WORD.finditer(_plain(text)))


def _plain(text: str) -> str:
    # Superscripts and fractions are words of their own, with their sign: 10 squared is not "102".
    spread = _SCRIPT.sub(r" \g<0>", text)
    spread = "".join(f" {c}" if _is_small(c) else c for c in spread)
    plain = unicodedata.normalize("NFKC", spread).translate(MINUS).casefold()
    plain = "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in plain)
    return unicodedata.normalize("NFC", plain)


def _word(word: str) -> str:
    return word.replace(",", "") if THOUSANDS.fullmatch(word) else word


_GLUE = "+"
"""Between a number and letters without a space, such as in E5 and 300B; no word of a text."""

_CLOCK = re.compile(r"(?<=\d):(?=\d)")
_EMPHASIS = re.compile(r"\*\*|__|`|(?<!\w)\*|\*(?!\w)")
_SPACED_THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?: \d{3})+(?![\d.,]?\d)")
_MIN_JOINED = 4


def _without_spaces(match: re.Match[str]) -> str:
    return match[0].replace(" ", "")


class KeyText:
    """A text in which keys are looked up."""

    def __init__(self, text: str) -> None:
        self._glued: set[int] = set()
        found: list[str] = []
        plain = _SPACED_THOUSANDS.sub(_without_spaces, _plain(_EMPHASIS.sub("", text)))
        for word in unify(list(_with_glue(_CLOCK.sub(".", plain)))):
            if word == _GLUE:
                self._glued.add(len(found))
            else:
                found.append(word)
        self.words: Words = tuple(found)

    def find(self, key: str) -> list[int]:
        """Where the key begins, as indices into `words`; empty if the text does not hold it."""
        return self.find_words(KeyText(key).words)

    def find_words(self, key: Words) -> list[int]:
        """The same, for a key that is split already."""
        size = len(key)
        starts = [i for i in self._starts(key[:1]) if self._is_whole(i, size, key)]
        joined = "".join(key)
        if starts or len(joined) < _MIN_JOINED or not joined.isalpha():
            return starts
        sizes = {1, size + 1} - {size}  # "Wi-Fi" is "WiFi"
        return [
            i
            for other in sizes
            for i in range(len(self.words) - other + 1)
            if "".join(self.words[i : i + other]) == joined
        ]

    def _starts(self, first: Words) -> list[int]:
        return [i for i, word in enumerate(self.words) if (word,) == first]

    def _is_whole(self, start: int, size: int, key: Words) -> bool:
        ends = {start, start + size}
        return self.words[start : start + size] == key and not ends & self._glued


def _with_glue(text: str) -> Iterable[str]:
    end, before = 0, ""
    for match in WORD.finditer(text):
        word = _word(match[0])
        touches = match.start() == end and before and word.isascii() and before.isascii()
        is_code = before.isalpha() and is_number(word)
        is_counted = is_number(before) and word.isalpha() and word not in UNITS
        if touches and (is_code or is_counted):
            yield _GLUE
        yield word
        end, before = match.end(), word


def contains_words(text: str, key: str) -> bool:
    """Whether `text` contains the words of `key`, whole, adjacent and in order.

    Variants of a quantity are equal: "four years" is in "4 years of warranty".
    """
    return bool(KeyText(text).find(key))


def ngrams(text: Words, *, sizes: Iterable[int]) -> set[Words]:
    """All n-grams of a text's words, for each n in `sizes`."""
    return {text[i : i + n] for n in sizes for i in range(len(text) - n + 1)}


def contains_all(text: str, keys: Iterable[str]) -> bool:
    """Whether `text` contains every key."""
    whole = KeyText(text)
    return all(whole.find(key) for key in keys)


def cited_pages(text: str) -> frozenset[int]:
    """The pages that a text cites as "page N"."""
    return frozenset(
        int(number)
        for word, number in pairwise(words(text))
        if word == "page" and number.isdecimal()
    )


def strip_citation(answer: str) -> str:
    """An answer without its "(... page N)" or "(... section "X")"."""
    return _SECTION_AT_END.sub("", CITATION.sub("", answer)).strip() or answer


def has_citation(answer: str) -> bool:
    """Whether an answer cites a location in a document: "(..., page N)", or "see section 3"."""
    return any(pattern.search(answer) for pattern in (CITATION, SECTION, _PAGE_OR_SECTION))
