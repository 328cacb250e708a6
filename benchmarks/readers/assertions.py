r"""What a person would read out of a document, as short lines, and whether a text holds it.

A file of assertions has one a line; `#` begins a comment:

    has: 10 20 mm                      these words, in a row, whole: "1020 mm" is something else
    not: 1020                          never
    once: Keep it dry.                 exactly once
    order: Left column ; Right column  each after the one before it
    row: Part = Seal ; Torque = 5 Nm   one row with each value under its heading
    lines: server:\n  port: 80         lines of their own, one after the other, indented like this

Words are compared after `normalise`: a reader may write Markdown or plain text, and a table with
pipes, tabs, aligned columns, or as "Part: Seal, Torque: 5 Nm". A power is written `10^6`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.readers.normalise import one_line, plain_line, plain_lines, words
from benchmarks.readers.tables import holds_row

KINDS = ("has", "not", "once", "order", "row", "lines")


@dataclass(frozen=True)
class Assertion:
    """One of `KINDS`, and what follows its colon."""

    kind: str
    argument: str

    def __str__(self) -> str:
        """As it stands in its file."""
        return f"{self.kind}: {self.argument}"


class AssertionsError(Exception):
    """A line of a file of assertions is none."""


def read_assertions(path: Path) -> tuple[dict[str, str], tuple[Assertion, ...]]:
    """Settings (`name = value`) and assertions of a file.

    Raises:
        AssertionsError: a line is neither.
    """
    settings: dict[str, str] = {}
    assertions = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        kind, colon, argument = line.partition(":")
        if colon and kind in KINDS and argument.strip():
            assertions.append(Assertion(kind, argument.strip()))
        elif re.match(r"\w+ = \S", line):
            name, _, value = line.partition(" = ")
            settings[name] = value.strip()
        else:
            raise AssertionsError(f"{path.name}, line {number}: {line!r} is no assertion.")
    return settings, tuple(assertions)


class ReadText:
    """What a reader made of a document, ready to be searched."""

    def __init__(self, text: str) -> None:
        self.lines = plain_lines(text)
        self.words = words(text)

    def holds(self, assertion: Assertion) -> bool:
        """Whether the text holds an assertion; an empty text holds none."""
        if not self.words:
            return False
        argument = assertion.argument
        match assertion.kind:
            case "has":
                return self._find(argument, after=0) is not None
            case "not":
                return self._find(argument, after=0) is None
            case "once":
                return len(_pattern(argument).findall(self.words)) == 1
            case "order":
                return self._in_order(argument.split(" ; "))
            case "row":
                pairs = dict(pair.split(" = ", 1) for pair in argument.split(" ; "))
                flat = {words(head).strip(): words(cell).strip() for head, cell in pairs.items()}
                return holds_row(self.lines, flat)
            case _:
                return _has_lines(self.lines, argument.split("\\n"))

    def around(self, assertion: Assertion) -> str:
        """What stands where an assertion fails, for a person to compare."""
        argument = assertion.argument.replace("\\n", " ")
        parts = [part.partition(" = ")[2] or part for part in argument.split(" ; ")]
        for part in parts:
            wanted = words(part).split()
            for count in range(len(wanted), 0, -1):
                at = self.words.find(" ".join(wanted[:count]))
                if at >= 0:
                    return "..." + self.words[max(0, at - 40) : at + 160] + "..."
        return "..." + self.words[:100] + "..."

    def _find(self, text: str, *, after: int) -> int | None:
        found = _pattern(text).search(self.words, after)
        return found.end() if found else None

    def _in_order(self, texts: Sequence[str]) -> bool:
        end = 0
        for text in texts:
            found = self._find(text, after=end)
            if found is None:
                return False
            end = found
        return True


def _pattern(text: str) -> re.Pattern[str]:
    """Whole words and whole numbers: "5 Nm" is neither in "15 Nm" nor in "2.5 Nm"."""
    flat = words(text) or one_line(text)
    before = r"(?<![\w^])(?<!\d[.,])" if re.match(r"\w", flat) else ""
    behind = r"(?!\w)(?![.,^]\w)" if re.search(r"\w$", flat) else ""
    return re.compile(before + re.escape(flat) + behind)


def _has_lines(lines: Sequence[str], wanted: Sequence[str]) -> bool:
    """Whether the lines stand there in a row, their indentation equal up to a common shift."""
    bare = [{line.strip(), plain_line(line).strip()} for line in wanted]
    for at in range(len(lines) - len(wanted) + 1):
        window = lines[at : at + len(wanted)]
        if not all(line.strip() in same for line, same in zip(window, bare, strict=True)):
            continue
        shifts = {_indent(line) - _indent(want) for line, want in zip(window, wanted, strict=True)}
        if len(shifts) == 1:
            return True
    return False


def _indent(line: str) -> int:
    expanded = line.expandtabs(4)
    return len(expanded) - len(expanded.lstrip())
