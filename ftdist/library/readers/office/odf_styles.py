"""What the styles of an OpenDocument file mean: numbering, raised text, hidden text, code."""

from dataclasses import dataclass

from lxml import etree

_FORMS = {"1": "1", "a": "a", "A": "A", "i": "i", "I": "I"}
_MONOSPACED = ("mono", "courier", "consolas", "menlo", "typewriter", "code")


@dataclass(frozen=True)
class OdfStyles:
    """Styles by their names: parents, properties and list levels."""

    parents: dict[str, str]
    names: dict[str, str]
    """Names that the program shows."""

    properties: dict[str, dict[str, str]]
    levels: dict[tuple[str, int], tuple[str, str]]
    """Number format of a list style's level, "" for bullets, and its first number."""

    @classmethod
    def of(cls, *documents: etree._Element) -> "OdfStyles":
        """The styles of content and of styles."""
        styles = cls({}, {}, {}, {})
        for document in documents:
            for style in document.iter("{*}style", "{*}default-style"):
                own = _attributes(style)
                name = own.get("name", "")
                styles.parents[name] = own.get("parent-style-name", "")
                styles.names[name] = own.get("display-name", name)
                styles.properties[name] = {
                    key: value for child in style for key, value in _attributes(child).items()
                }
            for style in document.iter("{*}list-style"):
                name = _attributes(style).get("name", "")
                for level in style:
                    own = _attributes(level)
                    is_number = etree.QName(level).localname == "list-level-style-number"
                    form = _FORMS.get(own.get("num-format", ""), "") if is_number else ""
                    start = own.get("start-value", "")
                    styles.levels[name, int(own.get("level", "1"))] = form, start
        return styles

    def is_title(self, name: str) -> bool:
        """Whether a paragraph of this style is the document's title."""
        return any(self.names.get(each, each) == "Title" for each in self._line(name))

    def is_code(self, name: str) -> bool:
        """Whether a paragraph of this style is a listing."""
        if any("preformatted" in self.names.get(each, each).lower() for each in self._line(name)):
            return True
        font = self._property(name, "font-name", "font-family")
        return any(word in font.lower() for word in _MONOSPACED)

    def is_hidden(self, name: str) -> bool:
        """Whether text or a sheet of this style is hidden or struck out."""
        is_struck = self._property(name, "text-line-through-style") not in ("", "none")
        is_shown = self._property(name, "display") not in ("none", "false")
        return is_struck or not is_shown

    def tag(self, name: str) -> str:
        """The HTML tag for a span of this style: sup, sub, b, or "" for no tag."""
        position = self._property(name, "text-position").partition(" ")[0]
        if position.startswith("super") or (position[:1].isdigit() and position[:1] != "0"):
            return "sup"
        if position.startswith(("sub", "-")):
            return "sub"
        return "b" if self._property(name, "font-weight") == "bold" else ""

    def numbering(self, name: str, *, level: int) -> tuple[str, str]:
        """The form of a list's numbers, "" for bullets, and the first if it is not 1."""
        return self.levels.get((name, level), ("", ""))

    def _line(self, name: str) -> list[str]:
        """A style and those that it is derived from."""
        line: list[str] = []
        while name and name not in line:
            line.append(name)
            name = self.parents.get(name, "")
        return line

    def _property(self, name: str, *keys: str) -> str:
        for each in self._line(name):
            for key in keys:
                if value := self.properties.get(each, {}).get(key, ""):
                    return value
        return ""


def _attributes(element: etree._Element) -> dict[str, str]:
    """Attributes without their namespaces."""
    return {str(etree.QName(key).localname): str(value) for key, value in element.attrib.items()}
