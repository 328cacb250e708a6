"""The prompt for questions about facts, and the checks of a language model's reply.

A model only words questions: their answers are the document's own. So a question is checked for
what would make the answer wrong: another name or number than the text has, or a missing one.
"""

import re
from collections.abc import Iterator, Sequence

from ftdist.library.synthesis.qa_pair import QAPair
from ftdist.text.matching import UNSPACED

_PROMPT = """\
{text}

Customers ask questions that these parts of the text answer:
{facts}

Write {count} questions for each part, as {count} different customers would ask. They have not \
read the text: they use everyday words of their own instead of the text's, describe their \
situation, and name the product or service that they ask about. A question does not give its \
answer away. Write in the language of the text, one question a line, each after the number of its \
part, such as
1: question
and nothing else."""

_LINE = re.compile(
    r"^[\s*_#>-]*(?:(?:part|question)\s+)?(?P<number>\d{1,3})[*_]*\s*[:.)][\s*_]*(?P<text>.*)$",
    re.IGNORECASE,
)
_THOUGHTS = re.compile(r"^.*</think>", re.DOTALL)
_BULLET = re.compile(r"^\s*(?:[-*\u2022]|\(?[a-z][.)])\s+")
_MARKED = re.compile(r"^(?:q|question)\s*\d*\s*:\s*", re.IGNORECASE)
_DETAILS = re.compile(
    r"(?<!\w)--?[A-Za-z][\w-]+|(?![a-z]+(?:-[a-z]+)+\b)\w+(?:[_./-]\w+)+|\d+(?:[.,]\d+)*"
    r"|\b[A-Z]\w*[A-Z0-9]\w*\b"
)
"""The details that make an answer right or wrong: options, file names, numbers, abbreviations; not
words such as "second-hand"."""

_OF_THE_TEXT = re.compile(
    r"\b(?:the|this|that) (?:text|passage|document|section|excerpt|paragraph)\b|\baccording to\b",
    re.IGNORECASE,
)
_UNSPACED = re.compile(f"[{UNSPACED}]")
_QUESTION_MARKS = ("?", "\uff1f", "\u061f", "\u037e")
_WORDS = range(3, 41)


def questions_prompt(facts: Sequence[QAPair], *, text: str, count: int) -> str:
    """The prompt for `count` questions about each of some facts of a text."""
    known = [fact.answer if _says_all(fact) else f"{fact.question} {fact.answer}" for fact in facts]
    lines = [f"{number}. {_one_line(each)}" for number, each in enumerate(known, start=1)]
    return _PROMPT.format(text=text, facts="\n".join(lines), count=count).lstrip()


def parse_questions(reply: str, *, facts: int) -> dict[int, list[str]]:
    """The questions in a model's reply, each once, by the place of their fact from 0."""
    found: dict[int, list[str]] = {}
    number = 0
    for line in _THOUGHTS.sub("", reply).splitlines():
        text = line
        if match := _LINE.match(line):
            number, text = int(match["number"]), match["text"]
        text = _unquoted(_MARKED.sub("", _BULLET.sub("", _one_line(text))))
        known = found.get(number - 1, [])
        if text and 1 <= number <= facts and _plain(text) not in map(_plain, known):
            found[number - 1] = [*known, text]
    return found


def rejection_reason(question: str, fact: QAPair, *, text: str) -> str:
    """Why a question about a fact of a text is rejected; "" if it is accepted."""
    is_unspaced = _UNSPACED.search(question) is not None
    if not question.endswith(_QUESTION_MARKS) or not (
        len(question.split()) in _WORDS or (is_unspaced and len(question) <= 2 * _WORDS.stop)
    ):
        return "is no question of 3 to 40 words"
    if _OF_THE_TEXT.search(question):
        return "asks about the text, which the asker does not have"
    if detail := _unknown_detail(question, f"{text}\n{fact.question}"):
        return f"says {detail!r}, which the text does not"
    if lost := next((part for part in _needed(fact, text) if not _contains(question, part)), ""):
        return f"leaves out {lost!r}"
    value = _plain(fact.value)
    if value and f" {value} " in f" {_plain(question)} " and value not in _plain(fact.question):
        return "gives its answer away"
    return ""


def _says_all(fact: QAPair) -> bool:
    """Whether an answer is a sentence, which needs no question to be understood."""
    is_sentence = fact.made_by == "sentence" and fact.answer.endswith((".", "!"))
    return not fact.question or fact.made_by == "cloze" or is_sentence


def _needed(fact: QAPair, text: str) -> Iterator[str]:
    """The names and numbers that a question about a fact cannot do without.

    Those of its known question; of one that a sentence was turned into, which holds other parts of
    the sentence, those that the title has too.
    """
    title = text.partition("\n")[0]
    words = (part for part in _DETAILS.findall(fact.question))
    names = (word for word in fact.question.split()[1:] if word[:1].isupper())
    for part in dict.fromkeys(_plain(word) for word in [*words, *names]):
        is_needed = fact.made_by not in ("sentence", "cloze") or _contains(title, part)
        if part not in ("", "i") and is_needed:
            yield part


def _unknown_detail(text: str, known: str) -> str:
    """The first detail in `text` that is not in `known`; "" if there is none."""
    parts = (part.strip() for part in _DETAILS.findall(text))
    return next((part for part in parts if not _contains(known, _plain(part))), "")


def _contains(text: str, part: str) -> bool:
    return f" {part} " in f" {_plain(text)} " if part.isdigit() else part in _plain(text)


def _plain(text: str) -> str:
    """The words in lower case, without line breaks, quotation marks and dashes."""
    return " ".join(re.findall(r"\w+", text.casefold()))


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _unquoted(text: str) -> str:
    return text.strip().strip("\"'`*_\u201c\u201d\u2018\u2019").strip()
