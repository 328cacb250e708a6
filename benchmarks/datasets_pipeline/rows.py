"""Conversations as JSONL, made on the spot: as many as wanted, the same each time."""

import json
import random
import re
from collections.abc import Iterator
from pathlib import Path

from ftdist.evaluation import general_set

DEADLY = "<a row that ends the process>"
BAD_LINE = '{"messages": [{"role": "user", "content": "cut in the mid\n'
OTHER_TYPE = json.dumps({"messages": "no list"}) + "\n"

_PASSAGES = Path(general_set.__file__).with_name("passages.jsonl")
_WORDS = re.findall(r"[a-z]+", _PASSAGES.read_text(encoding="utf-8").lower())


def write_rows(path: Path, *, rows: int, at: int = -1, line: str | None = None) -> Path:
    """Write conversations of 20 to 220 words; row `at`, counted from 1, is `line` instead."""
    with path.open("w", encoding="utf-8") as file:
        for number, text in enumerate(conversations(rows), start=1):
            file.write(text if line is None or number != at else line)
    return path


def conversations(rows: int) -> Iterator[str]:
    """Lines of JSONL."""
    chance = random.Random(1)
    for number in range(rows):
        question = f"Question {number}: {' '.join(chance.choices(_WORDS, k=chance.randint(5, 40)))}"
        answer = " ".join(chance.choices(_WORDS, k=chance.randint(15, 180)))
        yield conversation(question, answer)


def conversation(question: str, answer: str) -> str:
    """One line."""
    messages = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return json.dumps({"messages": messages}) + "\n"
