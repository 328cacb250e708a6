"""What a check found, and what it means for a run."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """The result of one check."""

    area: str
    """What was looked at: machine, storage, SLURM, ...; the heading in the output."""

    name: str
    """The check, in one to three words."""

    level: Level
    found: str
    """What was found, with the numbers."""

    consequence: str = ""
    """What will hurt; empty: nothing."""

    remedy: str = ""
    """What to do about it, beginning with a verb."""


@dataclass(frozen=True)
class Area:
    """Builds the findings of one area.

    Args:
        name: heading in the output.
    """

    name: str

    def ok(self, name: str, found: str) -> Finding:
        """Nothing will hurt."""
        return Finding(area=self.name, name=name, level="ok", found=found)

    def warn(self, name: str, found: str, *, consequence: str, remedy: str) -> Finding:
        """Runs work, but are slower, lose steps, or need care."""
        return Finding(
            area=self.name,
            name=name,
            level="warn",
            found=found,
            consequence=consequence,
            remedy=remedy,
        )

    def fail(self, name: str, found: str, *, consequence: str, remedy: str) -> Finding:
        """Runs do not work, or compute wrong numbers."""
        return Finding(
            area=self.name,
            name=name,
            level="fail",
            found=found,
            consequence=consequence,
            remedy=remedy,
        )


def count(findings: Iterable[Finding], level: Level) -> int:
    """How many findings have a level."""
    return sum(finding.level == level for finding in findings)
