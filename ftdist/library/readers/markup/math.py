"""Equations as plain text where they are simple, such as 1/2, 10⁶ and √9."""

import re

from bs4 import BeautifulSoup, NavigableString, Tag

from ftdist.library.readers.inline import lowered, raised
from ftdist.library.readers.markup.tree import (
    EQUATION,
    Notes,
    alive,
    attribute,
    is_alive,
    is_text,
    preceding_text,
    spaced_text,
)

_ATOMS = ("mi", "mn", "mo", "mtext", "ms")
_GROUPS = ("math", "mrow", "mstyle", "mpadded", "mfenced")
_UNSEEN = ("annotation", "annotation-xml", "mphantom", "mspace", "maligngroup", "malignmark")
_RELATION = re.compile(r"\s*([=<>\u2264\u2265\u2248\u2260\u00d7\u2192])\s*")
_SUM = re.compile(r"(?<=[^\W_]|[)\]])\s*([+\u2212\u00b1-])\s*(?=\w|[(\u221a])")
_ROOTS = {"2": "\u221a", "3": "\u221b", "4": "\u221c"}
_DRAWN = re.compile("^(katex|mjx|MathJax|mwe-math)")
_INVISIBLE = dict.fromkeys(range(0x2061, 0x2065))
_MINUS = str.maketrans("\u2212", "-")


class _NotSimpleError(Exception):
    """An equation cannot be written on one line."""


def write_equations(soup: BeautifulSoup, notes: Notes) -> None:
    """Put text in the place of each equation: its own, its TeX source, or a mark with a note."""
    for script in alive(soup("script", type=re.compile("^math/tex"))):
        before = script.find_previous_sibling()
        is_drawn = before is not None and before.find("math") is not None
        script.replace_with(NavigableString("" if is_drawn else f"${script.get_text().strip()}$"))
    for math in alive(soup("math")):
        _remove_twin(math)
        math.replace_with(NavigableString(_apart(math, equation_text(math, notes))))
    for tag in alive(soup("mjx-container")):
        if not tag.get_text().strip():
            notes.add("equation left out", "MathJax")
            tag.replace_with(NavigableString(EQUATION))
    for tag in alive(soup(class_="katex-html")):
        if not any(
            str(node.get_text()).strip() for node in [*tag.previous_siblings, *tag.next_siblings]
        ):
            notes.add("equation left out", spaced_text(tag))
            tag.replace_with(NavigableString(EQUATION))


def _remove_twin(math: Tag) -> None:
    """Remove the drawing of an equation beside its source, and what hides the source."""
    around = math.find_parents(class_=_DRAWN)
    if not around:
        return
    for tag in around[-1].find_all(_is_drawing):
        if is_alive(tag) and tag.find("math") is None:
            tag.decompose()
    for tag in [*around, *math.parents]:
        if tag is around[-1].parent:
            break
        for name in ("style", "hidden", "aria-hidden"):
            del tag[name]


def _is_drawing(tag: Tag) -> bool:
    return attribute(tag, "aria-hidden") == "true" or tag.name in ("img", "svg")


def _apart(math: Tag, text: str) -> str:
    """The text of an equation, apart from a letter or digit before or after it."""
    left = " " if preceding_text(math)[-1:].isalnum() else ""
    after = math.next_sibling
    right = " " if after is not None and is_text(after) and str(after)[:1].isalnum() else ""
    return f"{left}{text}{right}"


def equation_text(math: Tag, notes: Notes) -> str:
    """An equation on one line, its TeX source, or a mark and a note."""
    try:
        line = _SUM.sub(r" \1 ", _RELATION.sub(r" \1 ", _line(math)))
        return " ".join(line.split())
    except _NotSimpleError:
        pass
    source = math.find("annotation", encoding=re.compile("tex", re.IGNORECASE))
    tex = source.get_text() if isinstance(source, Tag) else str(math.get("alttext") or "")
    if tex.strip():
        return f"${' '.join(tex.split())}$"
    notes.add("equation left out", spaced_text(math))
    return EQUATION


def _line(tag: Tag) -> str:
    """An equation on one line.

    Raises:
        _NotSimpleError: it has matrices, sums with limits and the like.
    """
    parts = _parts(tag)
    name = tag.name.split(":")[-1]
    if name in _ATOMS:
        text = " ".join(tag.get_text().split()).translate(_INVISIBLE)
        return f" {text} " if name == "mtext" else text
    if name == "semantics":
        return _line(parts[0]) if parts else ""
    if name in _GROUPS:
        text = ""
        for part in parts:
            text = _append(text, part)
        return f"({text})" if name == "mfenced" else text
    match name, len(parts):
        case "mfrac", 2:
            return f"{_grouped(parts[0])}/{_grouped(parts[1])}"
        case "msqrt", _:
            return _ROOTS["2"] + _bracketed("".join(map(_line, parts)))
        case "msup" | "msub", 2:
            return _append("", tag)
        case "mroot", 2 if (index := _line(parts[1])) in _ROOTS:
            return _ROOTS[index] + _grouped(parts[0])
    raise _NotSimpleError


def _parts(tag: Tag) -> list[Tag]:
    children = (child for child in tag.children if isinstance(child, Tag))
    return [child for child in children if child.name not in _UNSEEN]


def _append(before: str, tag: Tag) -> str:
    """A line followed by an element, which may be raised or lowered."""
    parts = _parts(tag)
    match tag.name.split(":")[-1], len(parts):
        case "msup", 2:
            base = before + _grouped(parts[0])
            return base + raised(_line(parts[1]).translate(_MINUS), before=base)
        case "msub", 2:
            base = before + _grouped(parts[0])
            return base + lowered(_line(parts[1]), before=base)
        case "msubsup", 3:
            base = before + _grouped(parts[0])
            base += lowered(_line(parts[1]), before=base)
            return base + raised(_line(parts[2]).translate(_MINUS), before=base)
        case "mfrac", 2 if before[-1:].isdigit():
            return f"{before} {_line(tag)}"
    last = tag.find_previous_sibling(("mi", "mo"))
    is_word = last is not None and last.name == "mi" and len(last.get_text().strip()) > 1
    gap = " " if is_word and before[-1:].isalnum() else ""
    return before + gap + _line(tag)


def _grouped(tag: Tag) -> str:
    return _bracketed(_line(tag))


def _bracketed(text: str) -> str:
    """A text in brackets unless it is one number, name or power."""
    is_one = re.fullmatch(r"[^\W_]+(?:[.,]\d+)*|\(.*\)|\W", text) is not None
    return text if is_one or not text else f"({text})"
