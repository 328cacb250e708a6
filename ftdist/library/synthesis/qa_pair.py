"""A question that a document answers."""

from dataclasses import dataclass
from hashlib import blake2b

from ftdist.library.schema import MadeBy


@dataclass(frozen=True, kw_only=True)
class QAPair:
    """A question with the document's answer."""

    question: str
    answer: str
    made_by: MadeBy
    section: str
    page: int | None
    value: str = ""
    """The part of the answer that says it, such as a table's cell; "": all of it."""

    evidence: str = ""
    """The document's text that holds the answer, such as a table's row below its headings; "": the
    answer itself."""

    wordings: tuple[str, ...] = ()
    """Other wordings of the question, the best first; where there are any, no rule makes more."""

    answers: tuple[str, ...] = ()
    """Other wordings of the answer; each holds `value` too."""

    asked_value: str = ""
    """Of a question from a value to its thing: what it names, such as "weight: 4 kg"."""


def value_digest(value: str) -> str:
    """A short digest of a `QAPair.asked_value`."""
    return blake2b(value.encode(), digest_size=8).hexdigest()
