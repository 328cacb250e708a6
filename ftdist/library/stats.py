"""What was read, dropped by which rule and kept: counted while it happens, told by the card."""

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

_VICTIMS = 5
"""Victims of a rule that are shown; all are counted."""

_BAD_NAMED = 20
_EXCERPT = 160


@dataclass
class Rule:
    """How often a rule struck, and a few of its victims."""

    count: int = 0
    victims: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Account:
    """Counts of one shard, or of all together."""

    rows: int = 0
    """Documents, conversations and passages met, the bad ones among them."""

    bad: int = 0
    bad_rows: list[dict[str, str]] = field(default_factory=list)
    """The first bad ones: place, reason, remedy."""

    rules: dict[str, Rule] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    made_by: dict[str, int] = field(default_factory=dict)
    """Samples by how they came to be."""

    def strike(
        self, rule: str, *, place: str, excerpt: str = "", times: int = 1, **more: Any
    ) -> None:
        """Count a rule, and keep the first victims."""
        entry = self.rules.setdefault(rule, Rule())
        entry.count += times
        if len(entry.victims) < _VICTIMS:
            entry.victims.append({"place": place, "excerpt": _short(excerpt), **more})

    def bad_row(self, place: str, reason: str, remedy: str) -> None:
        """Count a file or row that could not be read."""
        self.bad += 1
        if len(self.bad_rows) < _BAD_NAMED:
            told = reason.encode("utf-8", "backslashreplace").decode()  # a key may be half a letter
            self.bad_rows.append({"place": place, "reason": told, "remedy": remedy})

    def add(self, other: "Account") -> None:
        """Take another account into this one."""
        self.rows += other.rows
        self.bad += other.bad
        self.bad_rows = [*self.bad_rows, *other.bad_rows][:_BAD_NAMED]
        self.notes += other.notes
        for name, count in other.made_by.items():
            self.made_by[name] = self.made_by.get(name, 0) + count
        for name, rule in other.rules.items():
            mine = self.rules.setdefault(name, Rule())
            mine.count += rule.count
            mine.victims = [*mine.victims, *rule.victims][:_VICTIMS]

    def save(self, path: Path) -> None:
        """Write as JSON."""
        path.write_text(json.dumps(dataclasses.asdict(self)), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote."""
        return cls.from_values(json.loads(path.read_text(encoding="utf-8")))

    @classmethod
    def from_values(cls, values: dict[str, Any]) -> Self:
        """From what `dataclasses.asdict` makes of one."""
        rules = {name: Rule(**rule) for name, rule in values["rules"].items()}
        return cls(**{**values, "rules": rules})


def _short(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= _EXCERPT else words[: _EXCERPT - 3] + "..."
