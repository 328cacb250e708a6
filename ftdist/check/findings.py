"""What `ftdist check` finds, as values that cross the process boundary. Imports no torch."""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from pydantic import TypeAdapter

Status = Literal["ok", "warning", "failed"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One check and its result."""

    check: str
    """What was checked, such as `end of turn`."""

    status: Status
    """ok; warning: it works, but look at it; failed: training would refuse or go wrong."""

    message: str
    """One sentence, with the numbers."""

    remedy: str = ""
    """What to do about it, beginning with a verb, ending with a full stop; "" if ok."""

    other_trainers: str = ""
    """What differs in trainers that take the ids of `apply_chat_template`; "" if nothing does."""


@dataclass(frozen=True, kw_only=True)
class SourceFigures:
    """Sizes of one source, of the rows that were read; lengths in tokens per sample."""

    name: str
    rows: int
    samples: int
    tokens: int
    loss_tokens: int
    p50: int
    p95: int
    longest: int
    overlong: int
    """Conversations longer than `batch.sequence_length`."""

    sequences: int
    """Packed sequences that the samples fill."""

    padding: float
    """Share of the packed sequences that is padding; samples too long are left out."""

    histogram: list[tuple[int, int]]
    """Lengths: upper bound of each bin, a power of two, and samples in it."""


Piece = tuple[str, list[int], bool, bool]
"""Text of one or more tokens, their ids, whether they are learned, and whether special."""


@dataclass(frozen=True, kw_only=True)
class ShownSample:
    """A sample as the model sees it."""

    source: str
    location: str
    tokens: int
    loss_tokens: int
    pieces: list[Piece]


@dataclass(frozen=True, kw_only=True)
class Report:
    """All that was found."""

    model: str
    library: str
    findings: list[Finding] = field(default_factory=list)
    sources: list[SourceFigures] = field(default_factory=list)
    samples: list[ShownSample] = field(default_factory=list)
    all_rows: bool = True
    """Whether every row was read, not a sample of them."""

    @property
    def status(self) -> Status:
        """The worst of the findings."""
        found = {finding.status for finding in self.findings}
        return "failed" if "failed" in found else "warning" if "warning" in found else "ok"

    @property
    def worst_first(self) -> list[Finding]:
        """The findings, failed ones first, then warnings."""
        order = ("failed", "warning", "ok")
        return sorted(self.findings, key=lambda finding: order.index(finding.status))

    @property
    def summary(self) -> str:
        """How many findings have each status."""
        warnings = self.count("warning")
        return (
            f"{self.count('failed')} failed, {warnings} warning{'s' * (warnings != 1)}, "
            f"{self.count('ok')} ok"
        )

    def count(self, status: Status) -> int:
        """How many findings have this status."""
        return sum(finding.status == status for finding in self.findings)

    def to_values(self) -> dict[str, Any]:
        """As JSON values, with the overall status first."""
        return {"status": self.status, **asdict(self)}

    @classmethod
    def from_values(cls, values: dict[str, Any]) -> "Report":
        """The report that `to_values` wrote."""
        return TypeAdapter(cls).validate_python(values)
