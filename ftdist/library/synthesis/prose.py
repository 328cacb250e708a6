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
        self._within: set[str] | None = None

    def about(self, name: str) -> str:
        """The paragraphs and items that hold all words of a name, one below the other."""
        if name not in self._about:
            self._about[name] = "\n".join(self._holding(name))
        return self._about[name]

    def has_the(self, name: str, *, without: str, as_written: bool = False) -> bool:
        """Whether "the NAME" stands somewhere that is no part of a longer name.

        Args:
            name: looked for.
            without: the longer name.
            as_written: whether capitals count.
        """
        pattern = rf"\bthe {re.escape(name)}\b"
        key = name.casefold()
        if key not in self._with_the:
            texts = self._holding(name)
            self._with_the[key] = [t for t in texts if re.search(pattern, t, re.IGNORECASE)]
        exact = re.compile(rf"\b[Tt]he {re.escape(name)}\b") if as_written else None
        return any(
            (exact is None or exact.search(text.replace(without, " ")))
            and (
                without not in text or re.search(pattern, text.replace(without, " "), re.IGNORECASE)
            )
            for text in self._with_the[key]
        )

    def cased(self, word: str) -> str:
        """A word as it stands within sentences; "" if with a capital and without, or not at all."""
        if self._within is None:
            text = "\n".join(self._texts)
            self._within = set(re.findall(r"(?<=[\w,;] )[A-Za-z][a-z]+\b", text))
        small, large = word.lower(), word.capitalize()
        if (small in self._within) == (large in self._within):
            return ""
        return small if small in self._within else large

    def _holding(self, name: str) -> list[str]:
        found = [self._having.get(word, set()) for word in set(_WORD.findall(name.casefold()))]
        numbers = set.intersection(*sorted(found, key=len)) if found else set()
        return [self._texts[number] for number in sorted(numbers)]


@once_per_document
def prose_of(document: Document) -> Prose:
    """The prose of a document."""
    return Prose(document)
