"""Words that are broken at the end of a line; pure functions.

A hyphen at a line's end belongs to the word (low-pressure, XR-200) or to the line (exam-ple). It
belongs to the word before or after a digit or capital, in options and addresses, after one letter,
another hyphen, or a word such as "low" or "self", and where the document writes the word with a
hyphen elsewhere, or its second part after another hyphen, or both parts as words and never the
whole.
Otherwise it goes: typeset text breaks many more words at syllables than at hyphens, and parts of
such words ("exam", "ple") are seldom words. A wrong guess then loses a hyphen of a word that
occurs once, and invents no other word than that.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

HYPHENS = ("-", "\u00ad")
_SOFT = "\u00ad"
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
SUSPENDED = {"and", "or", "und", "oder", "bzw", "sowie", "och", "eller"}
"""Words after a hyphen that stays apart, as in "pre- and post-war"."""

_COMPOUND = {
    *("all", "cross", "double", "first", "five", "four", "full", "half", "high", "large", "left"),
    *("long", "low", "right", "second", "self", "short", "single", "six", "small", "third"),
    *("three", "two", "well", "wide"),
}
"""First parts that a hyphen follows more often than the rest of a word."""

_OPENING = "([{\u201c\u201e\u00ab\"'\u2018\u201a"
_CJK = re.compile(r"[\u2e80-\u9fff\uf900-\ufaff\uff00-\uff60\u3000-\u303f]")


class Vocabulary:
    """How often a document writes each word, words broken at line ends left out."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._words = Counter[str]()
        was_broken = False
        for line in lines:
            words = _WORD.findall(line.replace(_SOFT, "-").casefold())
            is_broken = line.endswith(HYPHENS)
            self._words.update(words[was_broken : len(words) - is_broken])
            was_broken = is_broken
        self._ends = {word.rpartition("-")[2] for word in self._words if "-" in word}

    def __getitem__(self, word: str) -> int:
        return self._words[word.casefold()]

    def is_compound(self, head: str, tail: str) -> bool:
        """Whether two parts are rather two words than parts of one."""
        both = self[head] > 0 and self[tail] > 0
        return (
            both or len(head) == 1 or head.casefold() in _COMPOUND or tail.casefold() in self._ends
        )


def join_lines(lines: Sequence[str], *, words: Vocabulary) -> str:
    """Lines of a paragraph as one text."""
    text = ""
    for line in lines:
        text = _join(text, line, words=words) if text else line
    return " ".join(text.replace(_SOFT, "-").split())


def _join(text: str, line: str, *, words: Vocabulary) -> str:
    if not text.endswith(HYPHENS) or not text[-2:-1].isalnum() or not line[:1].isalnum():
        is_cjk = _CJK.match(text[-1:]) and _CJK.match(line[:1])
        return f"{text}{line}" if is_cjk else f"{text} {line}"
    is_soft, token = text.endswith(_SOFT), text[:-1].split()[-1].lstrip(_OPENING)
    match = _WORD.match(line)
    tail = match[0] if match else ""
    if tail.casefold() in SUSPENDED:
        return f"{text[:-1]}- {line}"
    head = token.rpartition("-")[2]
    is_word = re.fullmatch(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*", token) is not None
    whole, hyphenated = words[head + tail], max(words[f"{token}-{tail}"], words[f"{head}-{tail}"])
    is_capital = head[-1:].isupper() or not tail[:1].islower()
    if is_capital and not (head.isupper() and tail.isupper() and whole > hyphenated):
        return f"{text[:-1]}-{line}"
    is_compound = not whole and not is_soft and ("-" in token or words.is_compound(head, tail))
    if not is_word or hyphenated > whole or is_compound:
        return f"{text[:-1]}-{line}"
    return f"{text[:-1]}{line}"
