"""Rows of all forms with random mutations: a conversation, a passage or a reason, nothing else."""

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from ftdist.data.messages import is_text
from ftdist.library.cleaning.mask_row import mask_row
from ftdist.library.cleaning.text import clean_row
from ftdist.library.readers.rows.columns import drop_keys, rename_keys
from ftdist.library.readers.rows.parse_row import parse_row
from ftdist.library.readers.rows.settings import Preferences, RowSettings
from ftdist.library.schema import BadRow, BadRowError, Conversation, Location, Passage
from tests.unit.library.readers.rows.chats.test_tools import OPENAI, SHAREGPT
from tests.unit.library.readers.rows.test_preferences import PAIRS

FORMS: list[Any] = [
    OPENAI,
    SHAREGPT,
    *PAIRS.values(),
    {"query": "Q?", "tools": SHAREGPT["tools"], "answers": '[{"name": "f", "arguments": {}}]'},
    {"instruction": "Q?", "input": "x", "output": "A.", "history": [["Q", "A"]], "system": "S"},
    {"question": "Q?", "choices": {"text": ["x", "y"], "label": ["A", "B"]}, "answer": "A"},
    {"messages": [{"sender": "Ann", "text": "How?", "time": "9:00"},
                  {"sender": "Helpdesk", "text": "So.", "time": "9:01"}]},
    {"text": "A text.", "meta": {"id": 1}},
    {"prompt": "Q?", "completion": "A.", "label": True},
    ["Q?", "A."],
]  # fmt: skip
VALUES: list[Any] = [
    None, "", " ", 0, 1, -1, 2**70, 0.5, float("nan"), True, [], {}, "x", "\ud800", "{", "[1]",
    '{"a": NaN}', '{"name": "f"}', "[" * 5000, b"\xff", [[]], [None], {"": None}, {"bytes": b"x"},
    "tool", "system", "assistant", {"role": "user"}, {"text": ["x"]}, [{"type": "text"}], ["a", 1],
    {1: 2}, {"function": "f"}, "null", "\x00", {"type": "image"}, [{"from": "gpt", "value": 1}],
    ("a", "b"),
]  # fmt: skip
KEYS = ["tools", "functions", "tool_calls", "function_call", "content", "role", "weight", "name",
        "rejected", "chosen", "label", "text", "input", "messages", "images", "reasoning", "mask",
        "loss_mask", "tool_call_id", "arguments", "system", "answer", "question"]  # fmt: skip

ROWS = 500


def nodes(value: Any) -> Iterator[tuple[Any, Any]]:
    """All containers in a value, each with one of its keys."""
    members = value.items() if isinstance(value, dict) else enumerate(value)
    for key, member in members:
        yield value, key
        if isinstance(member, dict | list):
            yield from nodes(member)


def mutated(row: Any, rng: random.Random) -> Any:
    row = copy.deepcopy(row)
    for _ in range(rng.randint(1, 3)):
        places = list(nodes(row))
        if not places:
            break
        container, key = rng.choice(places)
        value = copy.deepcopy(rng.choice(VALUES))
        match rng.randrange(5):
            case 0:
                del container[key]
            case 1 if isinstance(container, dict):
                container[rng.choice(KEYS)] = value
            case 2 if isinstance(container, list):
                container.insert(key, copy.deepcopy(container[key]))
            case 3 if isinstance(container[key], dict | list):
                container[key] = json.dumps(container[key], default=str)
            case _:
                container[key] = value
    return row


def check(row: Conversation | Passage) -> None:
    if isinstance(row, Passage):
        assert is_text(row.text)
        return
    assert is_text(json.dumps(row.messages, ensure_ascii=False) + row.tools)
    assert row.messages[-1]["role"] == "assistant"
    assert all(isinstance(message["content"], str) for message in row.messages)
    if row.tools:
        assert all(tool["function"]["name"] for tool in json.loads(row.tools))
    for message in row.messages:
        for call in message.get("tool_calls", ()):
            assert isinstance(json.loads(call["function"]["arguments"]), dict)
    assert any("weight" not in m for m in row.messages if m["role"] == "assistant")


@pytest.mark.parametrize("preferences", ["chosen", "refuse"])
def test_no_row_raises_anything_but_a_reason(preferences: Preferences) -> None:
    rng = random.Random(preferences)
    settings = RowSettings(preferences=preferences, assistant=("Bo",))
    outcomes = {"good": 0, "bad": 0}
    for number in range(ROWS):
        row = mutated(rng.choice(FORMS), rng)
        row = rename_keys(drop_keys(row, ["meta.id"]), {"question": "name"} if number % 9 else {})
        try:
            parsed = parse_row(row, Location("a", 1), settings=settings)
        except BadRowError:
            outcomes["bad"] += 1
            continue
        outcomes["good"] += 1
        if not isinstance(parsed, Conversation | Passage):
            continue
        check(parsed)
        cleaned = clean_row(parsed)
        if not isinstance(cleaned, BadRow):
            masked = mask_row(cleaned, secrets="mask", personal="mask", allowlist=())
            assert isinstance(masked, Conversation | Passage)
            check(masked)
    assert min(outcomes.values()) > ROWS / 10
