"""Prompts for questions and paraphrases, and the checks of a language model's outputs.

A question is accepted only if it quotes the passage, and if its answer contains no number, option
or name that the passage lacks. A paraphrase must keep those of its question.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ftdist.library.schema import Sample

_ASK_QUESTIONS = """\
Read this text from {title}.

{text}

Write {count} questions that a user of it would ask and that the text answers. Name what each is \
about, as the asker does not have the text before them. For each write three lines:
Q: the question
A: the answer, from the text alone
QUOTE: the words of the text that say so, copied exactly"""

_ASK_WORDINGS = """\
Write this question in {count} other ways, as different people would ask it. Keep every name and \
number. Write one question a line, and nothing else.

{question}"""

_LABEL = re.compile(
    r"^[\W\d]*(?P<label>Q|QUESTION|A|ANSWER|QUOTE)\W*\d*\W*:[\s*_]*(?P<text>\S.*)$", re.IGNORECASE
)
_LED = re.compile(r"^\s*(?:[-*\u2022]|\(?\d{1,2}[.):])\s+")
_DETAILS = re.compile(
    r"--?[A-Za-z][\w-]+|\w+(?:[_./-]\w+)+|\d+(?:[.,]\d+)*|\b[A-Z]\w*[A-Z0-9]\w*\b"
)
"""The details that make an answer right or wrong: options, file names, numbers, abbreviations."""

_OF_THE_TEXT = re.compile(
    r"\b(?:the|this|that) (?:text|passage|document|section|excerpt|paragraph)\b|\baccording to\b",
    re.IGNORECASE,
)
_MIN_QUOTE_WORDS = 4
_MIN_SHARED = 0.6
"""The minimum share of an answer's longer words that the passage has too."""


@dataclass(frozen=True, kw_only=True)
class CandidateQA:
    """A question and an answer by a model, and its quotation from the passage."""

    question: str
    answer: str
    quote: str


def question_prompt(passage: Sample, *, count: int) -> str:
    """The prompt for questions about a passage."""
    title, _, text = passage.text.partition("\n\n")
    return _ASK_QUESTIONS.format(title=title, text=text, count=count)


def paraphrase_prompt(question: str, *, count: int) -> str:
    """The prompt for paraphrases of a question."""
    return _ASK_WORDINGS.format(question=question, count=count)


def parse_candidates(reply: str) -> Iterator[CandidateQA]:
    """The questions in a model's reply that have the requested form."""
    parts: dict[str, list[str]] = {}
    label = ""
    for line in [*reply.splitlines(), "Q: end"]:
        if match := _LABEL.match(line):
            label = match["label"][0].upper() if match["label"].upper() != "QUOTE" else "QUOTE"
            if label == "Q":
                if parts.keys() >= {"Q", "A", "QUOTE"}:
                    yield CandidateQA(
                        question=_one_line(parts["Q"]),
                        answer="\n".join(parts["A"]).strip(),
                        quote=_unquoted(_one_line(parts["QUOTE"])),
                    )
                parts = {}
            parts[label] = [match["text"].strip()]
        elif label and line.strip():
            parts[label].append(line.strip())


def rejection_reason(claim: CandidateQA, passage: Sample) -> str:
    """Why a question about a passage is rejected; "" if it is accepted."""
    title, _, text = passage.text.partition("\n\n")
    if not claim.question.endswith("?") or not 4 <= len(claim.question.split()) <= 40:
        return "is no question of 4 to 40 words"
    if _OF_THE_TEXT.search(claim.question):
        return "asks about the text, which the asker does not have"
    if not 1 <= len(claim.answer.split()) <= 160:
        return "has an answer of more than 160 words"
    quote = _plain(claim.quote)
    if len(quote.split()) < min(_MIN_QUOTE_WORDS, len(_plain(text).split())):
        return "quotes too little"
    if quote not in _plain(text):
        return "quotes words that are not in the text"
    known = f"{title}\n{text}\n{claim.question}"
    if detail := _unknown_detail(claim.answer, known) or _unknown_detail(
        claim.question, passage.text
    ):
        return f"says {detail!r}, which the text does not"
    answer = {word for word in _plain(claim.answer).split() if len(word) > 3}
    if len(answer & set(_plain(known).split())) < _MIN_SHARED * len(answer):
        return "has an answer in other words than the text"
    return ""


def parse_paraphrases(reply: str, *, question: str, count: int) -> tuple[list[str], list[str]]:
    """The accepted and the rejected paraphrases in a model's reply."""
    accepted: dict[str, str] = {}
    rejected: list[str] = []
    for line in reply.splitlines():
        text = _unquoted(" ".join(_LED.sub("", line).split()))
        if not text or text.endswith(":"):
            continue
        if _asks_the_same(text, question):
            accepted.setdefault(_plain(text), text)
        else:
            rejected.append(text)
    accepted.pop(_plain(question), None)
    return list(accepted.values())[:count], rejected


def _asks_the_same(text: str, question: str) -> bool:
    """Whether a paraphrase keeps the question's details, adds none, and has a similar length."""
    details = {_plain(match) for match in _DETAILS.findall(question)}
    names = {_plain(word) for word in question.split()[1:] if word[:1].isupper()} - {"i", ""}
    words = len(text.split())
    return (
        3 <= words <= 3 * len(question.split()) + 12
        and all(_contains(text, part) for part in details | names)
        and not _unknown_detail(text, question)
        and bool(_long_words(text) & _long_words(question) or not _long_words(question))
    )


def _long_words(text: str) -> set[str]:
    """The beginnings of longer words: reset, resets and resetting are one."""
    return {word[:5] for word in _plain(text).split() if len(word) > 3} - _ASKING


_ASKING = {
    word[:5]
    for word in ("what", "which", "when", "where", "does", "should", "could", "would", "please")
}


def _unknown_detail(text: str, known: str) -> str:
    """The first detail in `text` that is not in `known`; "" if there is none."""
    parts = (part.strip() for part in _DETAILS.findall(text))
    return next((part for part in parts if not _contains(known, _plain(part))), "")


def _contains(text: str, part: str) -> bool:
    return f" {part} " in f" {_plain(text)} " if part.isdigit() else part in _plain(text)


def _plain(text: str) -> str:
    """The words in lower case, without line breaks, quotation marks and dashes."""
    return " ".join(re.findall(r"\w+", text.casefold()))


def _one_line(lines: list[str]) -> str:
    return " ".join(" ".join(lines).split())


def _unquoted(text: str) -> str:
    return text.strip().strip("\"'`\u201c\u201d\u2018\u2019").strip()
