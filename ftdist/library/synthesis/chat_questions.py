"""The questions that conversations ask."""

import re

from ftdist.data.messages import INSTRUCTIONS
from ftdist.library.schema import Conversation

_MAX_QUESTION_WORDS = 40
_ASKS = re.compile(
    r"^(?:what|which|who|where|when|why|how|can|could|does|do|is|are|should|may|must|will)\b"
    r"[^.!?]*$",
    re.IGNORECASE,
)


def is_single_question(row: Conversation) -> bool:
    """Whether a conversation is one question and its answer, without tools and thoughts."""
    first = row.messages[0]
    question = first["content"].rstrip()
    return (
        len(row.messages) == 2
        and not row.tools
        and all(message.keys() == {"role", "content"} for message in row.messages)
        and first["role"] == "user"
        and question.endswith("?")
        and len(question.split()) <= _MAX_QUESTION_WORDS
    )


def first_exchange(row: Conversation) -> tuple[str, str] | None:
    """The question that a conversation begins with and its answer; None: there is none.

    Instructions before it are skipped; a question may lack its mark. An answer with a tool call or
    a thought, or one that is not learned, is none.
    """
    messages = [message for message in row.messages if message["role"] not in INSTRUCTIONS]
    if row.tools or len(messages) < 2:
        return None
    first, second = messages[:2]
    question = first["content"].strip()
    is_question = question.endswith("?") or _ASKS.match(question)
    if (
        not is_question
        or len(question.split()) > _MAX_QUESTION_WORDS
        or (first["role"], second["role"]) != ("user", "assistant")
        or any(message.keys() != {"role", "content"} for message in (first, second))
    ):
        return None
    return question, second["content"].strip()
