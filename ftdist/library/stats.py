"""Counts of a curation: rows read, invalid rows, cleaning rules applied, with a few examples."""

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from ftdist.data.messages import Message
from ftdist.data.thoughts import split_thought
from ftdist.library.schema import Sample
from ftdist.library.synthesis.wording_overlap import WordingOverlap

MAX_EXAMPLES = 5
"""Examples of a rule that are kept; all applications are counted."""

_MAX_BAD_ROWS = 20
_MAX_EXCERPT = 160


@dataclass
class Rule:
    """How often a cleaning rule applied, and the first examples."""

    count: int = 0
    examples: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class CurationStats:
    """Counts of one shard, or the sum of several."""

    rows: int = 0
    """Documents, conversations and passages read, the bad ones included."""

    bad: int = 0
    bad_rows: list[dict[str, str]] = field(default_factory=list)
    """The first bad rows: location, reason, remedy."""

    rules: dict[str, Rule] = field(default_factory=dict)
    made_by: dict[str, int] = field(default_factory=dict)
    """Samples by how they were made."""

    chats: dict[str, int] = field(default_factory=dict)
    """Conversations with tools and with thoughts, calls, and answers that are not learned."""

    wordings: WordingOverlap = field(default_factory=WordingOverlap)
    """How much the trained wordings of a question resemble each other."""

    facts: dict[str, int] = field(default_factory=dict)
    """Questions chosen for probes, and those that give none, by the reason."""

    def record(
        self, rule: str, *, location: str = "", excerpt: str = "", times: int = 1, **more: Any
    ) -> None:
        """Count a rule, and keep the first examples that have a location."""
        entry = self.rules.setdefault(_printable(rule), Rule())
        entry.count += times
        if location and len(entry.examples) < MAX_EXAMPLES:
            entry.examples.append({"location": location, "excerpt": _shorten(excerpt), **more})

    def record_chat(self, sample: Sample) -> None:
        """Count what a conversation has beyond texts that are learned."""
        messages = sample.messages
        counts = {
            "conversations with tools": bool(sample.tools),
            "calls": sum(len(message.get("tool_calls", ())) for message in messages),
            "conversations with thoughts": any(map(_has_thought, messages)),
            "unlearned answers": sum("weight" in message for message in messages),
        }
        for name, count in counts.items():
            if count:
                self.chats[name] = self.chats.get(name, 0) + count

    def record_fact(self, what: str) -> None:
        """Count a question that was chosen for a probe."""
        self.facts[what] = self.facts.get(what, 0) + 1

    def needs_example(self, rule: str) -> bool:
        """Whether an example of the rule would be kept."""
        return rule not in self.rules or len(self.rules[rule].examples) < MAX_EXAMPLES

    def record_invalid_row(self, location: str, reason: str, remedy: str) -> None:
        """Count a file or row that cannot be used."""
        self.bad += 1
        if len(self.bad_rows) < _MAX_BAD_ROWS:
            self.bad_rows.append(
                {
                    "location": location,
                    "reason": _printable(reason),
                    "remedy": _printable(remedy),
                }
            )

    def add(self, other: "CurationStats") -> None:
        """Add the counts of another shard or source."""
        self.rows += other.rows
        self.bad += other.bad
        self.bad_rows = [*self.bad_rows, *other.bad_rows][:_MAX_BAD_ROWS]
        for name, count in other.made_by.items():
            self.made_by[name] = self.made_by.get(name, 0) + count
        for name, count in other.chats.items():
            self.chats[name] = self.chats.get(name, 0) + count
        for name, count in other.facts.items():
            self.facts[name] = self.facts.get(name, 0) + count
        self.wordings.add(other.wordings)
        for name, rule in other.rules.items():
            mine = self.rules.setdefault(name, Rule())
            mine.count += rule.count
            mine.examples = [*mine.examples, *rule.examples][:MAX_EXAMPLES]

    def save(self, path: Path) -> None:
        """Write as JSON."""
        path.write_text(json.dumps(dataclasses.asdict(self)), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote."""
        return cls.from_values(json.loads(path.read_text(encoding="utf-8")))

    @classmethod
    def from_values(cls, values: dict[str, Any]) -> Self:
        """The inverse of `dataclasses.asdict`."""
        rules = {name: Rule(**rule) for name, rule in values["rules"].items()}
        wordings = WordingOverlap(**values["wordings"])
        return cls(**{**values, "rules": rules, "wordings": wordings})


def _has_thought(message: Message) -> bool:
    return "reasoning_content" in message or (
        message["role"] == "assistant" and split_thought(message["content"]).thought != ""
    )


def _printable(text: str) -> str:
    """A text without lone surrogates, which keys and values of a row may hold."""
    return text.encode("utf-8", "backslashreplace").decode()


def _shorten(text: str) -> str:
    line = " ".join(_printable(text).split())
    return line if len(line) <= _MAX_EXCERPT else line[: _MAX_EXCERPT - 3] + "..."
