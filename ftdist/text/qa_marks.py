"""Marks of questions and answers in FAQs: "Q:" and "A:", "Question 3." and "Answer", "Frage"."""

import re
from typing import Literal

PartKind = Literal["question", "answer", "text"]
Part = tuple[PartKind, str]
"""What a piece of a paragraph is, and the piece without its mark."""

_QUESTION_WORDS = (
    *("Question", "Frage", "Pregunta", "Pergunta", "Domanda", "Vraag", "Fr\u00e5ga"),
    *("Sp\u00f8rsm\u00e5l", "\u0412\u043e\u043f\u0440\u043e\u0441", "\u95ee\u9898", "\u554f\u984c"),
    *("\u8cea\u554f", "\u95ee", "\u554f", "\uc9c8\ubb38"),
)
_ANSWER_WORDS = (
    *("Answer", "Antwort", "Respuesta", "Resposta", "Risposta", "Antwoord", "Svar", "R\u00e9ponse"),
    *("\u041e\u0442\u0432\u0435\u0442", "\u7b54\u6848", "\u56de\u7b54", "\u7b54", "\ub2f5\ubcc0"),
)
_QUESTION_LETTERS = "QFPDV\u0412"
_ANSWER_LETTERS = "ARS\u041e"
_ASKED = re.compile("[?\uff1f][\\s\"'*_)\u201d\u00bb]*$")
_SENTENCE_END = re.compile("[.!?:\uff1f\u3002][\\s\"'*_)\u201d\u00bb]*$")


def _mark(words: tuple[str, ...], letters: str, *, alone: str) -> str:
    """A mark: before a colon any word or letter, otherwise what is certain and no option."""
    names = "|".join(words)
    enumeration = r"(?:\(?\d{1,3}[.):]\s*)?"
    number = r"\s?(?:no\.?|[#.])?\s?\d{1,3}"
    options = r"(?!(?s:.*)\s[\[(]?[B-D][.)\]]\s)"
    return (
        rf"{enumeration}(?:"
        rf"(?i:(?:{names}|[{letters}]))(?:{number})?\s?[:\uff1a]\s*"
        rf"|(?:{names}|{alone})(?:{number})?(?:[.)](?=\s)|\s[-\u2013\u2014](?=\s)){options}\s*"
        rf"|[\[(](?:{names}|{alone})(?:{number})?[\])](?=\s){options}\s*"
        rf"|(?:{names}){number}(?:\s+|$))"
    )


_QUESTION = re.compile(_mark(_QUESTION_WORDS, _QUESTION_LETTERS, alone="Q"))
_ANSWER = re.compile(_mark(_ANSWER_WORDS, _ANSWER_LETTERS, alone="A"))
_MAX_CHARACTERS = 20_000
"""Of a paragraph in which marks are looked for."""

_WEAK = re.compile(r"[\[(]?A(?:[.)\]]|\s[-\u2013\u2014])\s*")
"""Also an initial, an option or a word."""

_NEXT_MARK = re.compile(
    rf"(?:(?<=\s)|(?<=[?\uff1f\u3002]))(?:{_QUESTION.pattern}"
    rf"|(?P<answer>{_ANSWER.pattern}"
    rf"|(?<=[?\uff1f]\s)(?:{'|'.join(_ANSWER_WORDS)})\s+(?=[A-Z\d])))"
)


def is_question_name(text: str) -> bool:
    """Whether a table's heading says that the column holds questions."""
    return _is_name(text, _QUESTION_WORDS, "Q") or text.strip().casefold() == "faq"


def is_answer_name(text: str) -> bool:
    """Whether a table's heading says that the column holds answers."""
    return _is_name(text, _ANSWER_WORDS, "A")


def _is_name(text: str, words: tuple[str, ...], letter: str) -> bool:
    name = text.strip(" \t:*").casefold()
    names = {word.casefold() for word in words}
    return (
        name == letter.casefold()
        or name in names
        or name.removesuffix("s") in names
        or name.removesuffix("n") in names
    )


def is_asked(text: str) -> bool:
    """Whether a text ends with a question mark."""
    return _ASKED.search(text) is not None


def starts_marked(text: str) -> bool:
    """Whether a text begins with the mark of a question or of an answer."""
    return _first_part(text, expects_answer=False)[0] != "text"


def without_question_mark(text: str) -> str:
    """A question without the mark that it begins with."""
    match = _QUESTION.match(text)
    return text[match.end() :] if match else text


def split_marked(text: str, *, expects_answer: bool = False) -> list[Part]:
    """A paragraph as questions, answers, and text that is neither.

    An answer begins at its mark, inside a paragraph only after a question; so does a question
    after a sentence.

    Args:
        text: of the paragraph.
        expects_answer: whether a marked question precedes it; otherwise "A." may be an initial.
    """
    if len(text) > _MAX_CHARACTERS:
        return [("text", text)]
    parts: list[Part] = []
    kind, start = _first_part(text, expects_answer=expects_answer)
    offset = start
    while match := _NEXT_MARK.search(text, offset):
        offset = match.end()
        before = text[start : match.start()]
        if match["answer"]:
            if kind == "question" or (kind == "text" and is_asked(before)):
                parts.append(("question", before.strip()))
                kind, start = "answer", match.end()
        elif kind != "question" and _SENTENCE_END.search(before):
            parts.append((kind, before.strip()))
            kind, start = "question", match.end()
    parts.append((kind, text[start:].strip()))
    return parts


def _first_part(text: str, *, expects_answer: bool) -> tuple[PartKind, int]:
    """What a paragraph begins with, and the offset after its mark."""
    if match := _QUESTION.match(text):
        return "question", match.end()
    if match := _ANSWER.match(text):
        name = "".join(filter(str.isalpha, match[0]))
        is_certain = len(name) > 1 or (name in "Aa" and not _WEAK.fullmatch(match[0]))
        if expects_answer or is_certain:
            return "answer", match.end()
    return "text", 0
