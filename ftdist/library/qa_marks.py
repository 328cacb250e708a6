"""Marks of questions and answers in FAQs: "Q:" and "A:", "Question 3." and "Answer", in several
languages.
"""

import re

_PAIRS = (
    ("Q", "A"),
    ("Question", "Answer"),
    ("F", "A"),
    ("Frage", "Antwort"),
    ("Q", "R"),
    ("Question", "R\u00e9ponse"),
    ("P", "R"),
    ("Pregunta", "Respuesta"),
    ("Pergunta", "Resposta"),
    ("D", "R"),
    ("Domanda", "Risposta"),
    ("V", "A"),
    ("Vraag", "Antwoord"),
    ("F", "S"),
    ("Fr\u00e5ga", "Svar"),
    ("Sp\u00f8rsm\u00e5l", "Svar"),
    ("\u0412", "\u041e"),
    ("\u0412\u043e\u043f\u0440\u043e\u0441", "\u041e\u0442\u0432\u0435\u0442"),
    ("\u95ee", "\u7b54"),
    ("\u554f", "\u7b54"),
    ("\u8cea\u554f", "\u56de\u7b54"),
    ("\u95ee\u9898", "\u7b54\u6848"),
    ("\uc9c8\ubb38", "\ub2f5\ubcc0"),
)
QUESTION_WORDS = tuple(dict.fromkeys(question for question, _ in _PAIRS))
ANSWER_WORDS = tuple(dict.fromkeys(answer for _, answer in _PAIRS))

_ENUMERATION = r"(?:\(?\d{1,3}[.):]\s*)?"
_NUMBER = r"(?:\s?(?:no\.?|n\u00b0|\#)?\s?\d{1,3})?"
_END = r"(?:\s?[:\uff1a]|[.)\uff0e](?=\s))\s*"


def _mark(words: tuple[str, ...]) -> str:
    return rf"{_ENUMERATION}(?:{'|'.join(sorted(words, key=len, reverse=True))}){_NUMBER}{_END}"


QUESTION_MARK = re.compile(_mark(QUESTION_WORDS), re.IGNORECASE)
"""At the beginning of a question."""

ANSWER_MARK = re.compile(
    rf"{_mark(ANSWER_WORDS)}|(?:Answer|Antwort|Svar)\s\d{{1,3}}\s+", re.IGNORECASE
)
"""At the beginning of an answer."""
