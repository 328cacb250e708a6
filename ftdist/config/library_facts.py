"""Sizes of a packed library, as `prepare` found them."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, kw_only=True)
class SourceFacts:
    """One tokenised and packed source."""

    name: str
    weight: float
    samples: int
    sequences: int
    tokens: int
    loss_tokens: int
    held_out_samples: int
    held_out_sequences: int
    answers: int | None = None
    """Distinct texts that the samples learn (answers, pieces of text); None: packed by an earlier
    ftdist, which did not count them."""

    towards_base: bool = False
    """Whether the base model's distribution is what its loss tokens are learned from."""


@dataclass(frozen=True, kw_only=True)
class LibraryFacts:
    """The packed sources of a run.

    The first is the library itself, with weight 1. A curated library has several of its own: then
    weights count in tokens of the first, which is seen `weight` times in a pass.
    """

    path: str
    """Folder of the packed library, in the cache."""

    key: str
    """Fingerprint of everything that went into it."""

    sources: tuple[SourceFacts, ...]

    @property
    def samples_per_answer(self) -> float | None:
        """Samples of the library itself that learn one text: how often a pass shows it."""
        first = self.sources[0]
        return first.samples / first.answers if first.answers else None

    def to_json(self) -> str:
        """As JSON text."""
        return json.dumps(dataclasses.asdict(self), indent=2)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """From JSON text."""
        return cls.from_values(json.loads(text))

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """From what `dataclasses.asdict` makes of one."""
        sources = tuple(SourceFacts(**source) for source in values["sources"])
        return cls(path=values["path"], key=values["key"], sources=sources)
