"""One merged model: how far it goes from the base, and what of the update is left out. No torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class MergeSetting:
    """A merged model is base + alpha trimmed(tuned - base).

    Attributes:
        alpha: 0 is the base, 1 the tuned model.
        trim_largest: share of each tensor's update that is left out, the largest by magnitude.
        trim_smallest: share that is left out, the smallest by magnitude.
    """

    alpha: float
    trim_largest: float = 0.0
    trim_smallest: float = 0.0

    @classmethod
    def from_scores(cls, point: Mapping[str, Any]) -> "MergeSetting":
        """The setting of a model that was evaluated."""
        return cls(
            alpha=float(point["alpha"]),
            trim_largest=float(point.get("trim_largest", 0)),
            trim_smallest=float(point.get("trim_smallest", 0)),
        )

    @property
    def trims(self) -> str:
        """What is left out, such as "largest 8 %"; empty: nothing."""
        shares = (("largest", self.trim_largest), ("smallest", self.trim_smallest))
        return " and ".join(f"{end} {100 * share:g} %" for end, share in shares if share > 0)

    def __str__(self) -> str:
        return f"{self.alpha:g}" + (f" with the {self.trims} trimmed" if self.trims else "")
