"""The numbers that Word shows before numbered paragraphs."""

import re
from collections.abc import Iterator

from ftdist.library.readers.markup.lists import ordinal
from ftdist.library.readers.office.word.styles import Styles
from ftdist.library.readers.office.word.xml import Element, child, value

_KINDS = {
    "decimal": "1",
    "decimalZero": "0",
    "lowerLetter": "a",
    "upperLetter": "A",
    "lowerRoman": "i",
    "upperRoman": "I",
}
_LEVELS = 9


class Numbering:
    """Counts the numbered paragraphs of a document, in order."""

    def __init__(self, root: Element | None, styles: Styles) -> None:
        self._styles = styles
        elements = [] if root is None else list(root)
        self._abstract = {
            value(e, "abstractNumId"): e for e in elements if e.tag.endswith("}abstractNum")
        }
        self._lists = {value(e, "numId"): e for e in elements if e.tag.endswith("}num")}
        self._counts: dict[str, dict[int, int]] = {}
        self._started: set[tuple[str, int]] = set()

    def marker(self, paragraph: Element) -> str:
        """The number of the next paragraph, such as "2.1" or "b)"; "" of one without."""
        number, level = self._list_of(paragraph)
        levels = self._levels(number)
        if level not in levels:
            return ""
        counts = self._counts.setdefault(self._abstract_id(number), {})
        restart = self._restart(number, level)
        if restart is not None and (number, level) not in self._started:
            counts[level] = restart - 1
        self._started.add((number, level))
        counts[level] = counts.get(level, _start(levels[level]) - 1) + 1
        for deeper in range(level + 1, _LEVELS):
            counts.pop(deeper, None)
        if value(child(levels[level], "numFmt")) in ("bullet", "none"):
            return ""
        for upper in range(level):
            if upper in levels:
                counts.setdefault(upper, _start(levels[upper]))
        is_legal = child(levels[level], "isLgl") is not None

        def number_of(match: re.Match[str]) -> str:
            index = int(match[1]) - 1
            kind = _KINDS.get(value(child(levels.get(index), "numFmt")), "1")
            return ordinal(counts.get(index, 1), kind="1" if is_legal else kind)

        return re.sub(r"%(\d)", number_of, value(child(levels[level], "lvlText"))).strip()

    def _list_of(self, paragraph: Element) -> tuple[str, int]:
        """The list of a paragraph and its level, its own or that of its style."""
        properties = child(paragraph, "pPr")
        style = value(child(properties, "pStyle"))
        numberings = [
            child(properties, "numPr"),
            *(child(each, "pPr", "numPr") for each in self._styles.chain(style)),
        ]
        number = next((n for each in numberings if (n := value(child(each, "numId")))), "")
        level = next((n for each in numberings if (n := value(child(each, "ilvl")))), "")
        if not level:
            by_style = (
                index
                for index, each in self._levels(number).items()
                if style and value(child(each, "pStyle")) == style
            )
            return number, next(by_style, 0)
        return number, int(level)

    def _abstract_id(self, number: str) -> str:
        return value(child(self._lists.get(number), "abstractNumId"))

    def _levels(self, number: str) -> dict[int, Element]:
        """The levels of a list, some of them its own."""
        abstract = self._abstract.get(self._abstract_id(number))
        link = value(child(abstract, "numStyleLink"))
        if link:
            abstract = next(
                (e for e in self._abstract.values() if value(child(e, "styleLink")) == link), None
            )
        levels = dict(_levels(abstract))
        for override in _children(self._lists.get(number), "lvlOverride"):
            levels.update(_levels(override))
        return levels

    def _restart(self, number: str, level: int) -> int | None:
        for override in _children(self._lists.get(number), "lvlOverride"):
            start = value(child(override, "startOverride"))
            if value(override, "ilvl") == str(level) and start:
                return int(start)
        return None


def _children(element: Element | None, name: str) -> list[Element]:
    return [] if element is None else element.findall(f"{{*}}{name}")


def _levels(element: Element | None) -> Iterator[tuple[int, Element]]:
    for level in _children(element, "lvl"):
        yield int(value(level, "ilvl") or 0), level


def _start(level: Element) -> int:
    return int(value(child(level, "start")) or 1)
