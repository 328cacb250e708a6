"""Sizes of a packed library, as `prepare` found them."""

import dataclasses
import json
import math
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
    answered_samples: int | None = None
    """Those that are conversations, not text; None: packed by an earlier ftdist, which did not
    count them."""

    answers: int | None = None
    """What these learn, each once: several samples ask for one answer in several wordings."""

    own: bool = True
    """Whether it is the library's, not replay, out_of_scope or another source beside it."""

    kl_to_base: bool = False
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
    def answers(self) -> int | None:
        """Answers in the library's own sources, distinct in each; None: not counted."""
        counted = [source.answers for source in self.sources if source.own]
        return None if None in counted else sum(filter(None, counted))

    @property
    def exposures_per_pass(self) -> float | None:
        """How often one pass over the library shows an answer, on average.

        A pass shows w_i T / t_i times the s_i answered samples of its source i, of weight w_i and
        t_i tokens, where T are the tokens of the first source. Where all is text, as often as a
        piece of it: once. None: answers were not counted.
        """
        if self.answers is None:
            return None
        if self.answers == 0:
            return 1.0
        shown = [
            source.weight * self.sources[0].tokens / source.tokens * source.answered_samples
            for source in self.sources
            if source.own and source.answered_samples
        ]
        return math.fsum(shown) / self.answers

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
