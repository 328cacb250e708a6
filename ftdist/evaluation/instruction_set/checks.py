"""Rules that tell whether an answer follows an instruction, such as "in at most 20 words".

A check is a rule with its arguments, as in `items.jsonl`: {"rule": "words", "at_most": 20}. Rules
are lenient where people differ: Markdown around a word, straight or curly quotes, or hyphens in
words do not make an answer wrong.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ftdist.evaluation.instruction_set.languages import is_in_language
from ftdist.text.matching import contains_words, words

Check = Mapping[str, Any]
"""A rule and its arguments."""

MAX = 1 << 30
"""No upper limit."""

_QUOTES = str.maketrans({"\u201c": '"', "\u201d": '"', "\u201e": '"', "\u2018": "'", "\u2019": "'"})
_MARKUP = " \t\n*_`#>\"'"
_FENCE = re.compile(r"\A```[a-zA-Z]*\s*\n(.*?)\n?```\s*\Z", re.DOTALL)
_BULLET = re.compile(r"^([ \t]*)(?:[-+\u2022\u2013\u00b7]|\*(?!\*))[ \t]*(?=\S)", re.MULTILINE)
_NUMBER = re.compile(r"^([ \t]*)[*#]{0,3}[ \t]?\d{1,3}[.):]", re.MULTILINE)
_ABBREVIATION = re.compile(
    r"\b(?:mr|mrs|ms|dr|st|no|vs|prof|approx|e\.g|i\.e|[a-z])\.$", re.IGNORECASE
)
_SENTENCE_END = re.compile(r"[.!?\u2026]+[\"')\]*_]*(?=\s|$)")
_PLURALS = ("", "s", "es")
_WHOLE_NUMBER = re.compile(r"-?\d[\d,. ]*")


def follows(answer: str, checks: Sequence[Check]) -> bool:
    """Whether an answer passes all checks; an empty one passes none."""
    return bool(answer.strip()) and all(_passes(answer.strip(), check) for check in checks)


def describe(checks: Sequence[Check]) -> str:
    """The checks as text, such as "words: at most 20; language: code de"."""
    return "; ".join(
        f"{check['rule']}: {', '.join(_argument(*item) for item in _arguments(check).items())}"
        if len(check) > 1
        else str(check["rule"])
        for check in checks
    )


def _passes(answer: str, check: Check) -> bool:
    return RULES[check["rule"]](answer.translate(_QUOTES), **_arguments(check))


def _arguments(check: Check) -> dict[str, Any]:
    return {name: value for name, value in check.items() if name != "rule"}


def _argument(name: str, value: Any) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return f"{name.replace('_', ' ')} {text}"


def _words(answer: str, *, at_least: int = 0, at_most: int = MAX) -> bool:
    """Words, those with hyphens counted as one or as several."""
    whole = [word for word in re.split(r"\s+|\u2014|--", answer) if re.search(r"\w", word)]
    split = [word for word in re.split(r"[\s\u2014\u2013/-]+", answer) if re.search(r"\w", word)]
    return at_least <= len(whole) <= at_most or at_least <= len(split) <= at_most


def _sentences(answer: str, *, at_least: int = 1, at_most: int = MAX) -> bool:
    return at_least <= sum(_count_sentences(line) for line in answer.splitlines()) <= at_most


def _count_sentences(line: str) -> int:
    """Sentences of a line, the rest after the last full stop included."""
    text = _NUMBER.sub("", _BULLET.sub("", line)).strip()
    count, start = 0, 0
    for end in _SENTENCE_END.finditer(text):
        before, after = text[start : end.end()], text[end.end() :].lstrip()
        if after[:1].islower() or (after and _ABBREVIATION.search(before)):
            continue
        count, start = count + bool(re.search(r"\w", before)), end.end()
    return count + bool(re.search(r"\w", text[start:]))


def _paragraphs(answer: str, *, at_least: int = 1, at_most: int = MAX) -> bool:
    """Blocks of text between blank lines."""
    blocks = [block for block in re.split(r"\n\s*\n", answer) if re.search(r"\w", block)]
    return at_least <= len(blocks) <= at_most


def _lines(answer: str, *, at_least: int = 1, at_most: int = MAX) -> bool:
    """Lines that are not blank."""
    return at_least <= sum(bool(re.search(r"\w", line)) for line in answer.splitlines()) <= at_most


def _bullets(answer: str, *, at_least: int = 1, at_most: int = MAX) -> bool:
    return at_least <= _outermost(_BULLET, answer) <= at_most


def _numbered(answer: str, *, at_least: int = 1, at_most: int = MAX) -> bool:
    return at_least <= _outermost(_NUMBER, answer) <= at_most


def _outermost(item: re.Pattern[str], answer: str) -> int:
    """List items with the smallest indentation: those below another one do not count."""
    indents = [len(match[1].expandtabs()) for match in item.finditer(answer)]
    return sum(indent <= min(indents) + 1 for indent in indents)


def _comma_list(answer: str, *, at_least: int = 2, at_most: int = MAX) -> bool:
    """Short items on one line, between commas, or "and" before the last."""
    items = re.split(r",\s*(?:and|or)\s+|,|\s+and\s+", answer.rstrip("."))
    count = sum(bool(item.strip()) for item in items)
    return "\n" not in answer and at_least <= count <= at_most


def _language(answer: str, *, code: str) -> bool:
    return is_in_language(answer, code)


def _json(answer: str, *, keys: Sequence[str] = (), items: int | None = None) -> bool:
    """A JSON object with these keys, or a list of so many items; in a code block or not."""
    fenced = _FENCE.match(answer)
    try:
        value = json.loads(fenced[1] if fenced else answer)
    except (ValueError, RecursionError):
        return False
    if items is not None:
        return isinstance(value, list) and len(value) == items
    return isinstance(value, dict) and value.keys() >= set(keys)


def _upper(answer: str) -> bool:
    return answer.isupper()


def _lower(answer: str) -> bool:
    return answer.islower()


def _contains(answer: str, *, texts: Sequence[str]) -> bool:
    """All of these words, or their plurals, whatever their case."""
    return all(
        any(contains_words(answer, f"{text}{ending}") for ending in _PLURALS) for text in texts
    )


def _repeats(answer: str, *, word: str, at_least: int) -> bool:
    """A word in lower case, or its plural, at least so many times."""
    forms = {f"{word}{ending}" for ending in _PLURALS}
    return sum(each in forms for each in words(answer)) >= at_least


def _excludes(answer: str, *, texts: Sequence[str]) -> bool:
    """None of these words, whatever their case."""
    return not any(contains_words(answer, text) for text in texts)


def _without(answer: str, *, characters: str) -> bool:
    """None of these characters."""
    return not set(answer) & set(characters)


def _begins(answer: str, *, text: str) -> bool:
    """Begins with a text, whatever its case; Markdown and quotes before it do not count."""
    begin = re.escape(_plain(text)) + (r"\b" if text[-1].isalnum() else "")
    return bool(re.match(begin, _plain(answer.lstrip(_MARKUP))))


def _ends(answer: str, *, text: str) -> bool:
    """Ends with a text, whatever its case; Markdown and quotes after it do not count.

    Nor does a full stop, unless the text itself ends with punctuation.
    """
    plain = answer.rstrip(_MARKUP)
    bare = plain.rstrip(_MARKUP + ".!")
    return _plain(plain).endswith(_plain(text)) or (
        bool(words(text)) and _plain(bare).endswith(_plain(text).rstrip(".!"))
    )


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[*_`]", "", text).casefold().split())


def _one_of(answer: str, *, texts: Sequence[str]) -> bool:
    """The whole answer is one of these, punctuation and case aside."""
    return words(answer) in [words(text) for text in texts]


def _number(answer: str) -> bool:
    """The whole answer is a number in digits."""
    return bool(_WHOLE_NUMBER.fullmatch(answer.strip(_MARKUP + ".")))


def _title(answer: str, *, opening: str, closing: str) -> bool:
    """A text between two marks on one line."""
    mark = rf"{re.escape(opening)}[^\n]*\w[^\n]*?{re.escape(closing)}"
    return bool(re.search(mark, answer))


def _quoted(answer: str) -> bool:
    """The whole answer is between double quotes."""
    return len(answer) > 2 and answer.strip("*_ ")[:1] == answer.strip("*_ ")[-1:] == '"'


def _placeholders(answer: str, *, at_least: int) -> bool:
    """Different texts in square brackets."""
    return len(set(re.findall(r"\[[^\[\]\n]*\w[^\[\]\n]*\]", answer))) >= at_least


def _bold(answer: str, *, at_least: int) -> bool:
    """Texts between double asterisks."""
    return len(re.findall(r"\*\*[^*\n]*\w[^*\n]*\*\*", answer)) >= at_least


def _headings(answer: str, *, at_least: int) -> bool:
    """Markdown headings."""
    return len(re.findall(r"^#{1,6}\s*\w", answer, re.MULTILINE)) >= at_least


def _table(answer: str, *, columns: int) -> bool:
    """A Markdown table with so many columns: a header, its rule and a row."""
    rows = [line.strip().strip("|").split("|") for line in answer.splitlines() if "|" in line]
    rule = [all(re.fullmatch(r"\s*:?-+:?\s*", cell) for cell in row) for row in rows]
    return len(rows) > 2 and any(rule) and all(len(row) == columns for row in rows)


def _parts(answer: str, *, count: int) -> bool:
    """Texts separated by three or more asterisks."""
    found = re.split(r"\*{3,}", answer.strip("* \n"))
    return len(found) == count and all(re.search(r"\w", part) for part in found)


def _line_begins(answer: str, *, text: str) -> bool:
    """Some line begins with a text, whatever its case."""
    return any(_begins(line, text=text) for line in answer.splitlines())


def _last_line_begins(answer: str, *, text: str) -> bool:
    """The last line, or the last sentence, begins with a text."""
    last = answer.splitlines()[-1]
    return _begins(last, text=text) or f" {_plain(text)}" in _plain(last)


def _in_order(answer: str, *, texts: Sequence[str]) -> bool:
    """All of these, each after the one before."""
    place = 0
    for text in texts:
        found = re.compile(rf"\b{re.escape(text)}\b", re.IGNORECASE).search(answer, place)
        if found is None:
            return False
        place = found.end()
    return True


RULES: dict[str, Callable[..., bool]] = {
    "words": _words,
    "sentences": _sentences,
    "paragraphs": _paragraphs,
    "lines": _lines,
    "bullets": _bullets,
    "numbered": _numbered,
    "comma_list": _comma_list,
    "language": _language,
    "json": _json,
    "upper": _upper,
    "lower": _lower,
    "contains": _contains,
    "repeats": _repeats,
    "excludes": _excludes,
    "without": _without,
    "begins": _begins,
    "ends": _ends,
    "one_of": _one_of,
    "number": _number,
    "title": _title,
    "quoted": _quoted,
    "placeholders": _placeholders,
    "bold": _bold,
    "headings": _headings,
    "table": _table,
    "parts": _parts,
    "line_begins": _line_begins,
    "last_line_begins": _last_line_begins,
    "in_order": _in_order,
}
"""By their names in `items.jsonl`; the first argument is the answer."""
