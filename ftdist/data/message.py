"""One message of a conversation; here by itself, so that readers need no tokenizer."""

from typing import TypedDict


class Message(TypedDict):
    """Who speaks (system, user or assistant), and what."""

    role: str
    content: str
