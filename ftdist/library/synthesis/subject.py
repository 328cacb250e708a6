"""What a document is about, as a question names it: "the T-7" for "Halden T-7: Owner's Manual"."""

import re
from dataclasses import dataclass

_KIND_WORDS = (
    r"(?:(?:owner|user|operator|operating|service|installation|reference|instruction|staff|employee"
    r"|student|guest|visitor|member|parent|quick[ -]start|quick|short|safety|set-?up"
    r"|getting started|technical|developer|administrator)(?:'s|s'|\u2019s|s\u2019|s)?\s+)*"
    r"(?:manual|guide|handbook|instructions?|documentation|faq|readme|data ?sheet|booklet"
    r"|leaflet)\b"
)
_KIND = re.compile(rf"[\s,;|(\u2013\u2014-]*\b{_KIND_WORDS}.*$", re.IGNORECASE)
_ONLY_KIND = re.compile(
    r"^(?:[A-Z][a-z]+ )?(?:sheet|recipe|leaflet|profile|information|info)$", re.IGNORECASE
)
_CODE = re.compile(r"^(?=.*\d)(?=.*[A-Za-z])[\w-]+$")
_NUMBERED = re.compile(r"[A-Za-z] \d+\w*$")
_COLLECTION = re.compile(
    r"\b(?:catalogues?|catalogs?|products|price list|range|collection|assortment|brochure|devices|"
    r"models|plans|items|inventory|lists?|overview|comparison|directory|index|faq)\b",
    re.IGNORECASE,
)
_MAX_WORDS = 4
_NO_NAMES = frozenset({"document", "home", "index", "main", "page", "untitled"})


@dataclass(frozen=True)
class Subject:
    """The thing that a document is about."""

    name: str
    """As questions write it, without an article; "" if the title names nothing."""

    noun: str = ""
    """What kind of thing it is, in lower case, such as "pump"; "" if the title does not say."""

    @classmethod
    def from_title(cls, title: str) -> "Subject":
        """The subject of a document of that title."""
        words = re.sub("^The ", "the ", without_kind_of_document(title)).split()
        codes = [word for word in words if _CODE.match(word)]
        noun = words[-1].lower() if len(words) > 1 and words[-1].isalpha() else ""
        if codes:
            return cls(codes[0], noun)
        if len(words) > 2 and words[-2].isdigit() and noun and not noun.endswith("s"):
            return cls(" ".join(words[:-1]), noun)  # "Aerolite 300 Nebuliser"
        is_name = 0 < len(words) <= _MAX_WORDS and words[0].lower() not in _NO_NAMES
        return cls(" ".join(words) if is_name else "")

    @property
    def with_article(self) -> str:
        """As a sentence has it: "the T-7", but "Network UPS Tools"."""
        is_model = _CODE.match(self.name) or _NUMBERED.search(self.name)
        return f"the {self.name}" if is_model else self.name

    def named_in(self, question: str, *, preposition: str) -> str:
        """A question, without its mark, that says what it is about.

        "start the pump" becomes "start the T-7"; where nothing stands for the subject, it follows
        at the end.
        """
        if not self.name or self.name in question:
            return question
        if self.noun:
            named, times = re.subn(
                rf"\b(?:the|your|this)\s{re.escape(self.noun)}\b(?![-\u2019'])(?!\s\w+ing\b)",
                self.with_article,
                question,
                count=1,
            )
            if times:
                return named
        return f"{question} {preposition} {self.with_article}"


def without_kind_of_document(title: str) -> str:
    """A title without what it says of the document: "Halden T-7" for "Halden T-7: User Manual"."""
    before, _, rest = title.partition(":")
    is_kind = _ONLY_KIND.match(before) or not _KIND.sub("", before).strip()
    name = rest.strip() if rest.strip() and is_kind else before
    return _KIND.sub("", name).strip()


def is_collection(title: str) -> bool:
    """Whether a title or a heading names a collection, such as a catalogue, and no thing."""
    return bool(_COLLECTION.search(title))
