"""How the rows of a source are read."""

from dataclasses import dataclass, field
from typing import Literal

Preferences = Literal["refuse", "chosen"]
"""What is done with preference data."""


@dataclass(frozen=True, kw_only=True)
class RowSettings:
    """Settings of a config's `library` section that decide what a row means.

    Attributes:
        columns: the file's own keys for question, answer, text, system, messages, role, content,
            thread, sender and time. Without thread, role, content, sender and time are keys of
            each message. Dots lead into objects. A row with none of them is read by its form.
        drop_columns: keys that are ignored, as if no row had them. Dots lead into objects.
        preferences: whether pairs of a chosen and a rejected answer, and answers that are marked as
            bad, are refused; or the chosen ones are learned, and the bad ones left out.
        assistant: senders whose messages are the answers, besides those whose name says so.
        encoding: of files that are not UTF-8; None: guessed.
    """

    columns: dict[str, str] = field(default_factory=dict)
    drop_columns: tuple[str, ...] = ()
    preferences: Preferences = "refuse"
    assistant: tuple[str, ...] = ()
    encoding: str | None = None


BY_FORM = RowSettings()
"""Rows are read by their form."""
