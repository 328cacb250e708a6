"""Raised and lowered text as plain text: 10 to the sixth never becomes 106."""

import re

_RAISED = str.maketrans("0123456789+-\u2212\u2013=()ni", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁻⁼⁽⁾ⁿⁱ")
_LOWERED = str.maketrans("0123456789+-\u2212\u2013=()ni", "₀₁₂₃₄₅₆₇₈₉₊₋₋₋₌₍₎ₙᵢ")
_SYMBOLS = re.compile("[0-9+\u2212\u2013=()-]*[ni]?[0-9+\u2212\u2013=()-]*")
"""What Unicode has raised and lowered; two letters in a row are a word, as in V_(in)."""

_ORDINALS = {
    *("st", "nd", "rd", "th"),
    *("e", "er", "re", "ère", "ere", "ème", "eme", "nde", "de", "ste", "ro", "to", "mo", "vo"),
}
_LETTERS = {"o": "\u00b0", "a": "\u00aa"}
_SIGNS = {"TM": "\u2122", "SM": "\u2120", "(R)": "\u00ae"}
_FRACTION = re.compile("(\\d ?)?([⁰¹²³⁴-⁹]+)(?:/([₀-₉]+)|[\u2044\u2215]([₀-₉]+|\\d+))")
_DIGITS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉", "01234567890123456789")


def raised(text: str, *, before: str | None = None) -> str:
    """Raised text as plain text that cannot be taken for a part of what precedes it.

    Args:
        text: what is raised, such as "6" in 10 to the sixth.
        before: the text up to it; None if it follows a letter or digit that is not known.
    """
    text = " ".join(text.split())
    if text in _SIGNS:
        return _SIGNS[text]
    follows_digit = before is None or before[-1:].isdigit()
    if text in _LETTERS and follows_digit and before is not None:
        return _LETTERS[text]
    if text.lower() in _ORDINALS and (follows_digit or _ends_in_numeral(before or "")):
        return text
    return _script(text, table=_RAISED, mark="^", before=before)


def lowered(text: str, *, before: str | None = None) -> str:
    """Lowered text as plain text, such as the 2 of H₂O; arguments as those of `raised`."""
    return _script(" ".join(text.split()), table=_LOWERED, mark="_", before=before)


def join_fractions(text: str) -> str:
    """A text in which a raised number above a lowered one is a fraction: 1¹/₂ becomes 1 1/2."""
    return _FRACTION.sub(_fraction, text)


def _fraction(match: re.Match[str]) -> str:
    whole = f"{match[1].strip()} " if match[1] else ""
    below = (match[3] or match[4]).translate(_DIGITS)
    return f"{whole}{match[2].translate(_DIGITS)}/{below}"


def _ends_in_numeral(before: str) -> bool:
    """Whether a text ends in a Roman number, as in XIXe."""
    return re.search(r"\b[IVXLC]+$", before) is not None


def _script(text: str, *, table: dict[int, int], mark: str, before: str | None) -> str:
    if text and _SYMBOLS.fullmatch(text):
        return text.translate(table)
    is_attached = before is None or before[-1:].isalnum() or before.endswith((")", "]"))
    has_letters = any(map(str.isalnum, text))
    is_bracketed = text.startswith("[") and text.endswith("]")
    return f"{mark}({text})" if is_attached and has_letters and not is_bracketed else text
