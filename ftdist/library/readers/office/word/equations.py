"""Equations of Word as MathML."""

import re
from html import escape

from ftdist.library.readers.office.word.xml import Element, child, local, value

_TOKEN = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+|\S")
_NAMES = {"sSup": ("msup", "e", "sup"), "sSub": ("msub", "e", "sub"), "f": ("mfrac", "num", "den")}


def to_mathml(equation: Element) -> str:
    """The markup of an equation; what has no simple form becomes a table."""
    return f"<math>{_row(equation)}</math>"


def _row(element: Element | None) -> str:
    parts = "" if element is None else "".join(map(_part, element))
    return f"<mrow>{parts}</mrow>"


def _part(element: Element) -> str:
    name = local(element)
    if name.endswith("Pr"):
        return ""
    match name:
        case "r":
            return "".join(_atoms(t.text or "") for t in element.iter("{*}t"))
        case "oMath" | "e" | "box" | "fName" | "ins" | "sdtContent" | "sdt":
            return "".join(map(_part, element))
        case "sSup" | "sSub" | "f":
            tag, first, second = _NAMES[name]
            return f"<{tag}>{_row(child(element, first))}{_row(child(element, second))}</{tag}>"
        case "sSubSup":
            inner = "".join(_row(child(element, part)) for part in ("e", "sub", "sup"))
            return f"<msubsup>{inner}</msubsup>"
        case "rad":
            degree = child(element, "deg")
            if degree is None or not len(degree):
                return f"<msqrt>{_row(child(element, 'e'))}</msqrt>"
            return f"<mroot>{_row(child(element, 'e'))}{_row(degree)}</mroot>"
        case "d":
            return _bracketed(element)
        case "func":
            name_part = _text(child(element, "fName"))
            return f"<mi>{escape(name_part)}</mi><mtext></mtext>{_row(child(element, 'e'))}"
    return _rare(element, name)


def _bracketed(element: Element) -> str:
    begin, end = child(element, "dPr", "begChr"), child(element, "dPr", "endChr")
    left = "(" if begin is None else value(begin)
    right = ")" if end is None else value(end)
    inner = "<mo>,</mo>".join(_row(e) for e in element.findall("{*}e"))
    return f"<mo>{escape(left)}</mo>{inner}<mo>{escape(right)}</mo>"


def _rare(element: Element, name: str) -> str:
    if name in ("bookmarkStart", "bookmarkEnd", "proofErr"):
        return ""
    return f"<mtable>{escape(_text(element))}</mtable>"


def _text(element: Element | None) -> str:
    return "" if element is None else "".join(t.text or "" for t in element.iter("{*}t"))


def _atoms(text: str) -> str:
    """A run of an equation: numbers, words and signs by themselves."""
    if " " in text.strip():
        return f"<mtext>{escape(text)}</mtext>"
    return "".join(
        f"<{_tag(token)}>{escape(token)}</{_tag(token)}>" for token in _TOKEN.findall(text)
    )


def _tag(token: str) -> str:
    return "mn" if token[0].isdigit() else "mi" if token[0].isalpha() else "mo"
