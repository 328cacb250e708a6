"""One message of a conversation and its text; by itself, so that readers need no tokenizer."""

from typing import TypedDict


class Message(TypedDict):
    """Who speaks (system, user or assistant), and what."""

    role: str
    content: str


def is_text(text: str) -> bool:
    """Whether a string is valid Unicode: undecodable bytes become lone surrogates."""
    return not any("\ud800" <= letter <= "\udfff" for letter in text)
