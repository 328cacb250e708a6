"""Questions and wordings that a language model writes, each checked against what it was given.

A model is asked in words and answers in lines; what it says is believed only as far as the text
holds it. A question needs a quotation that stands in the passage, and an answer that brings no
number, option or name from elsewhere; a wording must keep those of the question.
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
_TELLS_APART = re.compile(
    r"--?[A-Za-z][\w-]+|\w+(?:[_./-]\w+)+|\d+(?:[.,]\d+)*|\b[A-Z]\w*[A-Z0-9]\w*\b"
)
"""What an answer stands or falls with: options, file names, numbers, abbreviations."""

_OF_THE_TEXT = re.compile(
    r"\b(?:the|this|that) (?:text|passage|document|section|excerpt|paragraph)\b|\baccording to\b",
    re.IGNORECASE,
)
_MIN_QUOTE_WORDS = 4
_MIN_SHARED = 0.6
"""Of an answer's longer words, the share that the passage has too."""


@dataclass(frozen=True, kw_only=True)
class CandidateQA:
    """A question with its answer, as a model wrote them, and what it says they stand on."""

    question: str
    answer: str
    quote: str


def question_prompt(passage: Sample, *, count: int) -> str:
    """The prompt for questions about a passage."""
    title, _, text = passage.text.partition("\n\n")
    return _ASK_QUESTIONS.format(title=title, text=text, count=count)


def paraphrase_prompt(question: str, *, count: int) -> str:
    """The prompt for other wordings of a question."""
    return _ASK_WORDINGS.format(question=question, count=count)


def parse_candidates(reply: str) -> Iterator[CandidateQA]:
    """The questions in a model's reply, as far as it kept to the form."""
    parts: dict[str, list[str]] = {}
    label = ""
    for line in [*reply.splitlines(), "Q: end"]:
        if match := _LABEL.match(line):
            label = match["label"][0].upper() if match["label"].upper() != "QUOTE" else "QUOTE"
            if label == "Q":
                if parts.keys() >= {"Q", "A", "QUOTE"}:
                    yield CandidateQA(
                        question=_one(parts["Q"]),
                        answer="\n".join(parts["A"]).strip(),
                        quote=_unquoted(_one(parts["QUOTE"])),
                    )
                parts = {}
            parts[label] = [match["text"].strip()]
        elif label and line.strip():
            parts[label].append(line.strip())


def rejection_reason(claim: CandidateQA, passage: Sample) -> str:
    """What speaks against a question about a passage; "" where nothing does."""
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
    if strange := _strange(claim.answer, known) or _strange(claim.question, passage.text):
        return f"says {strange!r}, which the text does not"
    answer = {word for word in _plain(claim.answer).split() if len(word) > 3}
    if len(answer & set(_plain(known).split())) < _MIN_SHARED * len(answer):
        return "has an answer in other words than the text"
    return ""


def parse_paraphrases(reply: str, *, question: str, count: int) -> tuple[list[str], list[str]]:
    """The wordings in a model's reply: those that ask the same, and those refused."""
    taken: dict[str, str] = {}
    refused: list[str] = []
    for line in reply.splitlines():
        text = _unquoted(" ".join(_LED.sub("", line).split()))
        if not text or text.endswith(":"):
            continue
        if _asks_the_same(text, question):
            taken.setdefault(_plain(text), text)
        else:
            refused.append(text)
    taken.pop(_plain(question), None)
    return list(taken.values())[:count], refused


def _asks_the_same(text: str, question: str) -> bool:
    """Whether a wording keeps what tells the question apart, adds nothing, and has its length."""
    apart = {_plain(match) for match in _TELLS_APART.findall(question)}
    names = {_plain(word) for word in question.split()[1:] if word[:1].isupper()} - {"i", ""}
    words = len(text.split())
    return (
        3 <= words <= 3 * len(question.split()) + 12
        and all(_holds(text, part) for part in apart | names)
        and not _strange(text, question)
        and bool(_long_words(text) & _long_words(question) or not _long_words(question))
    )


def _long_words(text: str) -> set[str]:
    """The beginnings of longer words: reset, resets and resetting are one."""
    return {word[:5] for word in _plain(text).split() if len(word) > 3} - _ASKING


_ASKING = {
    word[:5]
    for word in ("what", "which", "when", "where", "does", "should", "could", "would", "please")
}


def _strange(text: str, known: str) -> str:
    """The first thing in `text` that tells apart and is not in `known`; "": there is none."""
    parts = (part.strip() for part in _TELLS_APART.findall(text))
    return next((part for part in parts if not _holds(known, _plain(part))), "")


def _holds(text: str, part: str) -> bool:
    return f" {part} " in f" {_plain(text)} " if part.isdigit() else part in _plain(text)


def _plain(text: str) -> str:
    """Words alone, small, so that line breaks, quotation marks and dashes do not count."""
    return " ".join(re.findall(r"\w+", text.casefold()))


def _one(lines: list[str]) -> str:
    return " ".join(" ".join(lines).split())


def _unquoted(text: str) -> str:
    return text.strip().strip("\"'`\u201c\u201d\u2018\u2019").strip()
