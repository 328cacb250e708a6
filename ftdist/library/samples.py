"""A sample of a curated library: what the model will see, and where it came from."""

from dataclasses import dataclass
from typing import Literal

from ftdist.data.messages import Message

MadeBy = Literal[
    "as written",
    "passage",
    "faq",
    "heading",
    "table",
    "symptom",
    "definition",
    "wording",
    "written",
    "written wording",
    "replay",
    "out_of_scope",
]


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A conversation or a passage; exactly one of `messages` and `text` is set."""

    messages: tuple[Message, ...] = ()
    text: str = ""
    place: str
    """File, page and row that it comes from, as errors name them."""

    section: str = ""
    """Headings above it, outermost first, joined by " > "."""

    made_by: MadeBy
    """How it came to be."""

    unit: str
    """The document or conversation that it comes from."""
