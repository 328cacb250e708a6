"""What a library is read into: conversations, passages of text, and rows that are no use."""

from dataclasses import dataclass

from ftdist.data.chat import Message


@dataclass(frozen=True)
class Place:
    """Where something was read; rows are counted from 1, lines for JSONL."""

    file: str
    row: int | None = None

    def __str__(self) -> str:
        """As errors name it."""
        return self.file if self.row is None else f"{self.file}, row {self.row}"


@dataclass(frozen=True)
class Conversation:
    """Messages with at least one answer."""

    messages: tuple[Message, ...]
    place: Place


@dataclass(frozen=True)
class Passage:
    """A text, all of it to be learned."""

    text: str
    place: Place


@dataclass(frozen=True)
class BadRow:
    """A row that cannot be learned from, and why: a clause that follows its place."""

    reason: str
    place: Place


Row = Conversation | Passage | BadRow
