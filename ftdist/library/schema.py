"""Rows that sources are read into, and the samples and probes that are made of them."""

import json
from dataclasses import asdict, dataclass
from typing import Literal

from ftdist.data.messages import Message

BlockKind = Literal["heading", "paragraph", "item", "code", "table", "term", "definition"]


@dataclass(frozen=True)
class Location:
    """Where something was read; rows (lines of JSONL) and pages are counted from 1."""

    file: str
    row: int | None = None
    page: int | None = None

    def __str__(self) -> str:
        """As errors name it."""
        parts = [self.file]
        parts += [] if self.page is None else [f"page {self.page}"]
        parts += [] if self.row is None else [f"row {self.row}"]
        return ", ".join(parts)


@dataclass(frozen=True)
class Note:
    """Something that a reader left out, changed or guessed, for a person to check.

    Attributes:
        rule: what was done, the same for every instance, such as "header or footer left out".
        excerpt: what it was done to, and the evidence of a guess.
        count: how often, if the excerpt stands for several.
    """

    rule: str
    excerpt: str = ""
    count: int = 1


@dataclass(frozen=True)
class Conversation:
    """Messages with at least one answer."""

    messages: tuple[Message, ...]
    location: Location
    notes: tuple[Note, ...] = ()
    tools: str = ""
    """The tools that the assistant may call: a JSON list of function schemas; "" without any."""

    context: str = ""
    """As in a `Sample`."""

    has_new_fact: bool = True
    """Whether its answer holds a fact of its own, and not only those of other conversations."""


@dataclass(frozen=True)
class Passage:
    """A text, all of it to be learned."""

    text: str
    location: Location
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Block:
    """A piece of a document that a reader sees as one: a heading, a paragraph, a table."""

    kind: BlockKind
    text: str
    """Plain text; of a table, "" (see `rows`).

    Blanks are collapsed except in code. A line break is one that a reader sees, as in an address;
    headings and terms have none.
    """

    level: int = 0
    """Of a heading 1 to 6; of an item 1 for the outermost list."""

    marker: str = ""
    """Of an item of an ordered list its own number or letter, such as "3." or "b)"."""

    page: int | None = None
    """Page on which it begins, where the format has pages."""

    rows: tuple[tuple[str, ...], ...] = ()
    """Cells of a table, row by row, all rows equally long; the first holds the headings if any."""

    has_header: bool = False
    """Whether the first of `rows` names the columns."""


@dataclass(frozen=True, kw_only=True)
class Document:
    """One file of prose: what it is called and its blocks in reading order."""

    title: str
    blocks: tuple[Block, ...]
    location: Location
    notes: tuple[Note, ...] = ()


class BadRowError(Exception):
    """Why a row cannot be used: a clause such as "has no answer", and what to do about it."""

    def __init__(self, reason: str, remedy: str = "") -> None:
        super().__init__(reason)
        self.remedy = remedy


@dataclass(frozen=True)
class BadRow:
    """A row that cannot be learned from, and why: a clause that follows its place."""

    reason: str
    location: Location
    remedy: str = ""
    """What to do about it, beginning with a verb, ending with a full stop; "": nothing special."""


Row = Conversation | Passage | Document | BadRow

MadeBy = Literal[
    "as written",
    "passage",
    "faq",
    "heading",
    "table",
    "symptom",
    "definition",
    "list",
    "sentence",
    "cloze",
    "overview",
    "reverse",
    "two facts",
    "unanswerable",
    "rewrite",
    "wording",
    "written",
    "written wording",
    "replay",
    "out_of_scope",
    "counterfactual",
]

WITHOUT_NEW_FACT: frozenset[MadeBy] = frozenset({"overview", "two facts", "unanswerable"})
"""Samples whose answers hold facts of other samples alone, or none."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A training sample: a conversation or a passage; either `messages` or `text` is set."""

    messages: tuple[Message, ...] = ()
    tools: str = ""
    """As in a `Conversation`."""

    text: str = ""
    location: str
    """File, page and row that it comes from, as errors name them."""

    section: str = ""
    """Headings above it, outermost first, joined by " > "."""

    context: str = ""
    """The passage that answers its first question, shown to the teacher of context distillation and
    not to the trained model; "": none."""

    made_by: MadeBy
    doc_id: str
    """The document or conversation that it comes from."""


@dataclass(frozen=True, kw_only=True)
class ProbeRow:
    """A question of `probes.jsonl`, with what a right answer contains."""

    question: str
    answer: str
    keys: tuple[str, ...]
    kind: Literal["fact", "out_of_scope", "unanswerable"] = "fact"
    document: str = ""
    section: str = ""
    evidence: str = ""
    """Text of the library that holds the answer; "": not known."""

    form: str = ""
    """Of a fact probe: how it differs from the wordings that are trained."""

    def to_json(self) -> str:
        """A line of `probes.jsonl`; empty fields other than `keys` are left out."""
        row = {name: value for name, value in asdict(self).items() if value or name == "keys"}
        return json.dumps(row, ensure_ascii=False) + "\n"
