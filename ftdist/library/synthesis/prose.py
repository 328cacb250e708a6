"""The prose of a document, looked up by the names in it."""

import re
from collections import defaultdict

from ftdist.library.schema import Document
from ftdist.library.synthesis.last_document import once_per_document

_WORD = re.compile(r"\w+")


class Prose:
    """The paragraphs and items of a document, by their words."""

    def __init__(self, document: Document) -> None:
        kinds = ("paragraph", "item")
        self._texts = [block.text for block in document.blocks if block.kind in kinds]
        self._having: dict[str, set[int]] = defaultdict(set)
        for number, text in enumerate(self._texts):
            for word in set(_WORD.findall(text.casefold())):
                self._having[word].add(number)
        self._with_the: dict[str, list[str]] = {}
        self._about: dict[str, str] = {}

    def about(self, name: str) -> str:
        """The paragraphs and items that hold all words of a name, one below the other."""
        if name not in self._about:
            self._about[name] = "\n".join(self._holding(name))
        return self._about[name]

    def has_the(self, name: str, *, without: str) -> bool:
        """Whether "the NAME" stands somewhere that is no part of a longer name."""
        pattern = rf"\bthe {re.escape(name)}\b"
        key = name.casefold()
        if key not in self._with_the:
            texts = self._holding(name)
            self._with_the[key] = [t for t in texts if re.search(pattern, t, re.IGNORECASE)]
        return any(
            without not in text or re.search(pattern, text.replace(without, " "), re.IGNORECASE)
            for text in self._with_the[key]
        )

    def _holding(self, name: str) -> list[str]:
        found = [self._having.get(word, set()) for word in set(_WORD.findall(name.casefold()))]
        numbers = set.intersection(*sorted(found, key=len)) if found else set()
        return [self._texts[number] for number in sorted(numbers)]


@once_per_document
def prose_of(document: Document) -> Prose:
    """The prose of a document."""
    return Prose(document)
