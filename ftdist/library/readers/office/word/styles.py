"""Styles of a Word document, with what they inherit."""

import re
from collections.abc import Iterator

from ftdist.library.readers.office.word.xml import Element, child, value

_HEADING = re.compile(r"heading (\d)")
_CODE = re.compile(r"code|preformatted|listing|console|terminal", re.IGNORECASE)
_MONOSPACED = re.compile(r"courier|consolas|mono|menlo|monaco|lucida console|code", re.IGNORECASE)


class Styles:
    """Finds names and properties of styles by their identifiers, which Word translates."""

    def __init__(self, root: Element | None) -> None:
        self._styles: dict[str, Element] = {}
        for style in () if root is None else root.iter("{*}style"):
            self._styles.setdefault(value(style, "styleId"), style)

    def heading_level(self, paragraph: Element) -> int:
        """1 to 6 of a heading; 0 of any other paragraph."""
        properties = child(paragraph, "pPr")
        style = value(child(properties, "pStyle"))
        for name in self._names(style):
            if match := _HEADING.fullmatch(name):
                return min(int(match[1]), 6)
        for element in [properties, *(child(s, "pPr") for s in self.chain(style))]:
            outline = value(child(element, "outlineLvl"))
            if outline.isdigit():
                return int(outline) + 1 if int(outline) < 6 else 0
        return 0

    def is_named(self, paragraph: Element, pattern: str) -> bool:
        """Whether the style of a paragraph, or one it is based on, has a name."""
        style = value(child(paragraph, "pPr", "pStyle"))
        return any(re.fullmatch(pattern, name) for name in self._names(style))

    def is_code(self, paragraph: Element) -> bool:
        """Whether a paragraph is code by its style, or set in a typewriter's font."""
        style = value(child(paragraph, "pPr", "pStyle"))
        if any(map(_CODE.search, self._names(style))):
            return True
        runs = [run for run in paragraph.iter("{*}r") if run.find("{*}t") is not None]
        fonts = [value(self.property(run, "rFonts"), "ascii") for run in runs]
        return bool(fonts) and all(map(_MONOSPACED.search, fonts))

    def property(self, run: Element, name: str) -> Element | None:
        """A property of a run: its own, or of its style, or of its paragraph's style."""
        properties = child(run, "rPr")
        own = child(properties, name)
        if own is not None:
            return own
        paragraph = next(run.iterancestors("{*}p"), None)
        styles = [value(child(properties, "rStyle")), value(child(paragraph, "pPr", "pStyle"))]
        for style in styles:
            for each in self.chain(style):
                inherited = child(each, "rPr", name)
                if inherited is not None:
                    return inherited
        return None

    def chain(self, style: str) -> Iterator[Element]:
        """A style and those that it is based on."""
        for _ in range(20):
            element = self._styles.get(style)
            if element is None:
                return
            yield element
            style = value(child(element, "basedOn"))

    def _names(self, style: str) -> list[str]:
        return [value(child(each, "name")).lower() for each in self.chain(style)]
