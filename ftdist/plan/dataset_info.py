"""Sizes of a packed library, as `prepare` counts them."""

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from ftdist.errors import DataError


@dataclass(frozen=True, kw_only=True)
class PackedSourceInfo:
    """One tokenised and packed source."""

    name: str
    weight: float
    samples: int
    """That a pass shows, repeats included; tokens and answered samples are counted likewise."""

    sequences: int
    tokens: int
    loss_tokens: int
    held_out_samples: int
    held_out_sequences: int
    answered_samples: int = 0
    """Conversations among the samples, without those whose answers hold no fact of their own."""

    answers: int = 0
    """Distinct answers in them: several samples may ask for one answer in several wordings."""

    longest_conversation: int = 0
    """Tokens of the longest conversation, held-out ones included."""

    own: bool = True
    """Whether it is the library's own, not replay, out_of_scope or an extra source."""

    kl_to_base: bool = False
    """Whether its loss is KL(base || model), as `library.kl_to_base` says."""

    loss_weight: float = 1.0
    """Factor on the loss of each of its tokens: `library.kl_to_base_weight`."""

    distilled_tokens: int = 0
    """Loss tokens of samples that have a teacher."""

    teacher_tokens: int = 0
    """Tokens that the teacher reads for these samples: context, question and answer."""

    origin: str = ""
    """Of a dataset: where it is from, with commit, subset and split."""

    fingerprint: str = ""
    """Of the names and contents of its files."""


@dataclass(frozen=True, kw_only=True)
class PackedDatasetInfo:
    """The packed sources of a run.

    The first is the library itself, with weight 1. A curated library has several of its own: then
    weights count in tokens of the first, which a pass shows `weight` times.
    """

    path: str
    """Folder of the packed library, in the cache."""

    key: str
    """Fingerprint of everything that went into it."""

    sources: tuple[PackedSourceInfo, ...]

    checksum: str = ""
    """SHA-256 of the packed arrays, as they were written."""

    sequence_length: int = 0
    """Tokens per packed sequence."""

    fixed_opening: bool = False
    """Whether the last answer of each conversation begins with what the chat template writes before
    an answer without a thought: prompts in evaluations then include it."""

    context_distillation: float = 0.0
    """Weight of the teacher in the loss of distilled tokens, as the config has it."""

    @property
    def answers(self) -> int:
        """Answers in the library's own sources, distinct within each source."""
        return sum(source.answers for source in self.sources if source.own)

    @property
    def uses_reference(self) -> bool:
        """Whether the base model is needed beside the trained one: for KL, or as a teacher."""
        return any(source.kl_to_base or source.distilled_tokens for source in self.sources)

    @property
    def exposures_per_pass(self) -> float:
        """Exposures per answer in one pass over the library, on average.

        A pass shows w_i T / t_i times the s_i conversations of source i with weight w_i and t_i
        tokens, where T are the tokens of the first source. A library of texts alone counts as 1.
        """
        if self.answers == 0:
            return 1.0
        shown = [
            source.weight * self.sources[0].tokens / source.tokens * source.answered_samples
            for source in self.sources
            if source.own and source.answered_samples
        ]
        return math.fsum(shown) / self.answers

    @property
    def tokens_per_pass(self) -> float:
        """Tokens in one pass over the library, of all sources together, padding not counted."""
        return self.sources[0].tokens * math.fsum(source.weight for source in self.sources)

    @property
    def rows_per_pass(self) -> float:
        """Packed sequences in one pass over the library, of all sources together."""
        first = self.sources[0]
        return first.weight * first.sequences / row_shares(self.sources)[0]

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
        sources = tuple(PackedSourceInfo(**source) for source in values["sources"])
        return cls(**{**values, "sources": sources})


def row_shares(sources: tuple[PackedSourceInfo, ...]) -> tuple[float, ...]:
    """Share of each source in the stream of packed sequences; they sum to 1.

    Weights speak of tokens: source i gives weight_i tokens for each token of the first. Its rows
    hold t_i = tokens_i / sequences_i tokens on average, so p_i = (w_i / t_i) / sum_j (w_j / t_j).

    Raises:
        DataError: a source has no sequences.
    """
    for source in sources:
        if source.sequences == 0 or source.tokens == 0:
            raise DataError(
                f"Source {source.name!r} has {source.samples} samples and nothing to train on.",
                remedy="give it conversations or documents, or leave it out.",
            )
    rows = [source.weight * source.sequences / source.tokens for source in sources]
    return tuple(row / math.fsum(rows) for row in rows)


def reference_share(sources: tuple[PackedSourceInfo, ...]) -> float:
    """Tokens that the base model reads for each token of the stream, as reference and as teacher.

    All of a row of a source that is trained by KL; of others, the rows of the teacher.
    """
    return math.fsum(
        share * (1.0 if source.kl_to_base else source.teacher_tokens / max(1, source.tokens))
        for source, share in zip(sources, row_shares(sources), strict=True)
    )


def has_fixed_opening(plan: Path) -> bool:
    """`PackedDatasetInfo.fixed_opening` of the library in a run's plan; False without a plan."""
    try:
        return bool(json.loads(plan.read_text(encoding="utf-8"))["library"]["fixed_opening"])
    except (OSError, ValueError, LookupError, TypeError):
        return False
