"""Keys of an answer: the short pieces that a right answer must contain."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from ftdist.library.synthesis.key_finders import (
    all_codes,
    amounts,
    details,
    ended_parts,
    facts,
    names,
    parts,
    single_parts,
)
from ftdist.text.matching import contains_words

_MAX_KEYS, _MAX_SHORT_KEYS = 8, 2
_WORDS_PER_KEY = 25
_SHORT_ANSWER_WORDS = 6
_WHOLE_QUANTITY_WORDS = 3
_SOME_SENTENCES_WORDS = 50
"""A longer answer holds several facts."""

_BY_CHANCE = frozenset(("yes", "no", "true", "false", "none"))
_COMMON_TIMES, _COMMON_SHARE = 3, 0.2

_WORD_NAME = re.compile(r"\b[A-Z][\w-]+")
_NAMES = re.compile(r"\b[A-Z][\w-]*(?:\s[A-Z][\w-]*)+")
_SMALL_WORDS = "a an the this that your our its if in on with for and or use to"
_NO_NAMES = frozenset(_SMALL_WORDS.split())
_ASKS_AN_AMOUNT = re.compile(
    r"\bhow (?:often|long|many|much|loud|far|hot|cold|warm|deep|high|heavy|big|large|wide|tall|fast"
    r"|soon|old)\b",
    re.IGNORECASE,
)
_LEADS = re.compile(
    r"^(?:(?:yes|no)[,.]\s+)?(?:(?:it|they|this|there)\s(?:is|are)\s+)?(?:the|an?|about)\s+",
    re.IGNORECASE,
)
_URL = re.compile(r"\bhttps?://\S+")
_ITEM = re.compile(r"^\s{0,3}(?:[-*\u2022]|\d+[.)])\s+")
_GOES_ON = ("\u2026", "...", ":")
"""Ends of an answer whose fact comes after it."""

_CODE_LINE = re.compile(r" {4}|\t|#|\d crw|```|\$ ")
_SENTENCES = re.compile(r"(?<=[.!?])\s+|\n+")


def common_names(title: str, texts: Iterable[str]) -> str:
    """Names that tell no answer of a document apart.

    Those of its title, those next to them (in "Halden Marine", for a title with
    "Halden"), and those in a fifth of its texts.
    """
    listed = list(texts)
    found = Counter(name for text in listed for name in set(_WORD_NAME.findall(text)))
    least = max(_COMMON_TIMES, _COMMON_SHARE * len(listed))
    common = {name for name, times in found.items() if times >= least}
    common |= set(_WORD_NAME.findall(title))
    beside = {
        name
        for text in listed
        for names in _NAMES.findall(text)
        if common & set(names.split())
        for name in names.split()
        if name.lower() not in _NO_NAMES
    }
    return " ".join(sorted(common | beside))


def answer_keys(answer: str, *, question: str, given: str = "") -> list[str]:
    """Short pieces of an answer that a right one must contain; empty if none stands out.

    Options and file names, part numbers, quantities in digits and words, quoted words, names,
    parts; nothing that the question or `given` contains. A short answer without any is its own
    key. Up to 50 words the keys are those of the first sentence that has any, of the most specific
    kind; a longer answer has one for about every 25 words, from all its sentences. `contains_words`
    finds each in the answer.

    Args:
        answer: the trained text.
        question: that it answers.
        given: the document's title and the names that occur all over it.
    """
    count = len(answer.split())
    if answer.rstrip().endswith(_GOES_ON):
        return []
    if count <= _WHOLE_QUANTITY_WORDS:
        return _whole(answer)
    text = _URL.sub(" ", answer)
    is_key = _KeyTest(answer, question=question, given=given)
    of_amounts = (amounts,) if _ASKS_AN_AMOUNT.search(question) else ()
    if count > _SOME_SENTENCES_WORDS:
        max_keys = min(_MAX_KEYS, max(_MAX_SHORT_KEYS, count // _WORDS_PER_KEY))
        return _spread([*of_amounts, facts], text, is_key=is_key, max_keys=max_keys)
    is_short = count <= _SHORT_ANSWER_WORDS
    for find in (
        *of_amounts,
        details,
        all_codes,
        names,
        *(() if is_short else (parts, single_parts)),
    ):
        for sentence in _SENTENCES.split(text):
            if keys := list(dict.fromkeys(filter(is_key, find(sentence)))):
                return keys[:_MAX_SHORT_KEYS]
    return _whole(answer) if is_short else []


class _KeyTest:
    """Whether a piece of an answer can be a key."""

    def __init__(self, answer: str, *, question: str, given: str) -> None:
        self._answer = answer
        self._known = f"{question} {given}".casefold()
        self._names = {word.casefold() for word in _WORD_NAME.findall(given)}

    def __call__(self, key: str) -> bool:
        plain = key.casefold()
        is_new = plain not in self._known and not self._names & set(plain.split())
        return len(key) > 1 and is_new and contains_words(self._answer, key)


def _spread(
    finders: Sequence[Callable[[str], Iterable[str]]],
    text: str,
    *,
    is_key: Callable[[str], bool],
    max_keys: int,
) -> list[str]:
    """Keys of all sentences in their order: the first of each, then the second of each.

    Two-word parts stand in if fewer than `_MAX_SHORT_KEYS` are found. Lines of code have none.
    """
    lines = [_ITEM.sub("", line) for line in text.split("\n") if not _CODE_LINE.match(line)]
    sentences = [part for line in lines for part in _SENTENCES.split(line) if part.strip()]
    ranked = _ranked(finders, sentences, is_key=is_key)
    if len(ranked) < _MAX_SHORT_KEYS:
        found = {key for _, _, key in ranked}
        more = _ranked([ended_parts], sentences, is_key=is_key)
        ranked += [row for row in more if row[2] not in found][: _MAX_SHORT_KEYS - len(found)]
    chosen = sorted(ranked[:max_keys], key=lambda row: row[1])
    return [key for _, _, key in chosen]


def _ranked(
    finders: Sequence[Callable[[str], Iterable[str]]],
    sentences: Sequence[str],
    *,
    is_key: Callable[[str], bool],
) -> list[tuple[int, int, str]]:
    """Each key once: its rank in its sentence, its place in the text, and the key; best first."""
    rows: list[tuple[int, int, str]] = []
    taken: list[str] = []
    for sentence in sentences:
        rank = 0
        for key in (key for find in finders for key in find(sentence) if is_key(key)):
            if not any(contains_words(other, key) or contains_words(key, other) for other in taken):
                rows.append((rank, len(rows), key))
                taken.append(key)
                rank += 1
    return sorted(rows)


def _whole(answer: str) -> list[str]:
    """A short answer without its full stop and the words that lead up to it.

    None is one that many answers hold by chance: yes, no, a single digit.
    """
    text = answer.strip().rstrip(".")
    bare = _LEADS.sub("", text)
    keys = (key for key in (bare, text) if len(key) > 1 and contains_words(answer, key))
    return next(([key] for key in keys if key.casefold() not in _BY_CHANCE), [])
