"""Preference data: rows with a chosen and a rejected answer, and answers marked as good or bad.

OpenAI's and Together's (`input`, `preferred_output`, `non_preferred_output`), TRL's (`prompt`,
`chosen`, `rejected`, also without the prompt apart), LLaMA-Factory's (a conversation or instruction
with `chosen`, `rejected`), KTO's (`label`).
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ftdist.data.messages import Message
from ftdist.library.readers.rows.chats.message_rows import ends_with
from ftdist.library.readers.rows.row_keys import ANSWERS, MESSAGES
from ftdist.library.readers.rows.settings import Preferences
from ftdist.library.readers.rows.values import from_json, is_empty, shown
from ftdist.library.schema import BadRowError, Note

_SPELLINGS = {"chosen_response": "chosen", "response_chosen": "chosen", "chosen_answer": "chosen",
              "answer_chosen": "chosen", "preferred_output": "chosen",
              "rejected_response": "rejected", "response_rejected": "rejected",
              "rejected_answer": "rejected", "answer_rejected": "rejected",
              "non_preferred_output": "rejected"}  # fmt: skip
_SCORES = ("score_chosen", "score_rejected")
_TURN = re.compile(r"\n\n(Human|Assistant): ?")
"""Before each turn of a conversation that is one text, as in Anthropic's hh-rlhf."""

_REMEDY = "Set library.preferences=chosen to learn the chosen answers."


def with_standard_keys(row: dict[str, Any]) -> dict[str, Any]:
    """A row with OpenAI's `input` opened, and with `chosen` and `rejected` for other words.

    Raises:
        BadRowError: two of its keys mean the same, and differ in their values.
    """
    given = [(key, key, value) for key, value in row.items()]
    inner = row.get("input")
    if isinstance(inner, dict) and "messages" in inner and "messages" not in row:
        given = [each for each in given if each[0] != "input"]
        given += [(key, f"input.{key}", value) for key, value in inner.items()]
    members: dict[str, Any] = {}
    names: dict[str, str] = {}
    for own, name, value in given:
        key = _SPELLINGS.get(own, own)
        if key in members and is_empty(value):
            continue
        if not is_empty(members.get(key)) and members[key] != value:
            raise BadRowError(f"has {names[key]} and {name}, which differ", "Keep one of them.")
        members[key], names[key] = value, name
    return members


def is_pair(row: Mapping[str, Any]) -> bool:
    """Whether a row has an answer and one that was rejected."""
    has_rejected = not is_empty(row.get("rejected")) and not isinstance(row["rejected"], bool)
    others = (*ANSWERS, *MESSAGES)
    return has_rejected and any(not is_empty(row.get(key)) for key in others)


def take_chosen(row: dict[str, Any], *, preferences: Preferences) -> dict[str, Any]:
    """A pair with its conversation under `messages` where `chosen` is one text with all turns.

    Raises:
        BadRowError: pairs are refused, or the scores prefer the rejected answer.
    """
    if preferences == "refuse":
        raise BadRowError("is a preference pair: it has a chosen and a rejected answer", _REMEDY)
    chosen, rejected = (_number(row.get(key)) for key in _SCORES)
    if chosen is not None and rejected is not None and chosen < rejected:
        raise BadRowError(
            f"has score_chosen {chosen:g} below score_rejected {rejected:g}", "Leave it out."
        )
    row = {key: value for key, value in row.items() if key not in _SCORES}
    if turns := _turns(row.get("chosen")):
        return {key: value for key, value in row.items() if key != "chosen"} | {"messages": turns}
    return row


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number else None


def _turns(text: Any) -> list[dict[str, str]]:
    """The turns of a text such as "Human: Reset?", "Assistant: Hold it."; [] if it has none."""
    if not isinstance(text, str) or from_json(text) is not text:
        return []
    before, *parts = _TURN.split(f"\n\n{text.lstrip()}")
    if before or len(parts) < 4 or parts[0] != "Human":
        return []
    roles = {"Human": "user", "Assistant": "assistant"}
    return [
        {"role": roles[who], "content": content.strip()}
        for who, content in zip(parts[::2], parts[1::2], strict=True)
    ]


def note_rejected(
    row: Mapping[str, Any], messages: Sequence[Message], *, notes: list[Note]
) -> None:
    """Note that the chosen answer of a pair was taken.

    Raises:
        BadRowError: the rejected answer is the one that would be learned.
    """
    rejected = row["rejected"]
    try:
        is_same = ends_with(messages, rejected, key="rejected", row=row)
    except BadRowError:
        is_same = False
    turns = _turns(rejected)
    if is_same or (turns and turns[-1]["content"] == messages[-1]["content"]):
        raise BadRowError("has a rejected answer that is its answer", "Remove it.")
    notes.append(Note("chosen answer of a preference pair taken", shown(rejected)))
