"""Questions of an evaluation that are also asked with passages of the library in the prompt.

base_passage     the base with the right passage
base_retrieved   the base with the passages that BM25 finds
tuned_passage    the tuned model with the right passage

The right passage is the one that holds the probe's evidence, or else all its keys.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ftdist.config.schema import EvalConfig, RunConfig
from ftdist.errors import FtdistError
from ftdist.evaluation.eval_requests import PassagePrompt
from ftdist.evaluation.library_passages import LibraryPassage, library_passages
from ftdist.evaluation.probes import Probe
from ftdist.evaluation.retrieval import PassageIndex, contains_keys
from ftdist.evaluation.scoring.confidence import Rate
from ftdist.io.progress import LogFn
from ftdist.io.sampling import evenly_spaced

KINDS = ("fact", "unanswerable")
"""Kinds of probes that are asked with passages."""

COLUMNS = {"base": ("base_passage", "base_retrieved"), "tuned": ("tuned_passage",)}
"""By model what it is asked with passages, as `scores.json` names it."""


@dataclass(frozen=True, kw_only=True)
class PassageQuestions:
    """The probes to ask with passages, and their passages.

    Attributes:
        asked: indices of the probes.
        num_candidates: how many probes of the set could be asked so.
        right: by index the right passage; without those that have none.
        retrieved: by index the passages found, the best first.
        num_passages: of the library.
        limit: passages to retrieve per question.
    """

    asked: tuple[int, ...]
    num_candidates: int
    right: Mapping[int, str]
    retrieved: Mapping[int, tuple[str, ...]]
    num_passages: int
    limit: int

    def passages(self, column: str) -> dict[int, tuple[str, ...]]:
        """By index of the probes that a column asks, their passages."""
        if column.endswith("_retrieved"):
            return dict(self.retrieved)
        return {index: (text,) for index, text in self.right.items()}

    def prompts(self, probes: Sequence[Probe], *, model: str) -> list[PassagePrompt]:
        """What a model is asked with passages, column after column."""
        return [
            PassagePrompt(probes[index].question, passages)
            for column in COLUMNS[model]
            for index, passages in self.passages(column).items()
        ]

    def by_column(self, answers: Sequence[Any], *, model: str) -> dict[str, dict[int, Any]]:
        """The answers to `prompts` by column and index of the probe."""
        rest = iter(answers)
        return {
            column: {index: next(rest) for index in self.passages(column)}
            for column in COLUMNS[model]
        }

    def hit_rate(self, probes: Sequence[Probe]) -> Rate | None:
        """How many fact probes have all their keys in the retrieved passages."""
        return Rate.from_outcomes(
            [
                contains_keys(self.retrieved[index], probes[index].keys)
                for index in self.retrieved
                if probes[index].kind == "fact"
            ]
        )


def find_passages(
    probes: Sequence[Probe], config: RunConfig, settings: EvalConfig, *, log: LogFn
) -> PassageQuestions | None:
    """The passages for the probes of an evaluation; None if it asks none with passages.

    Args:
        probes: of the evaluation.
        config: of the run, whose library is searched.
        settings: evaluation settings.
        log: for messages to the user.
    """
    candidates = [n for n, probe in enumerate(probes) if probe.kind in KINDS]
    asked = evenly_spaced(candidates, settings.max_passage_questions)
    if not asked:
        return None
    index = PassageIndex(_passages(config, log=log))
    found = PassageQuestions(
        asked=tuple(asked),
        num_candidates=len(candidates),
        right={n: text for n in asked if (text := _right_passage(probes[n], index))},
        retrieved={
            n: tuple(index.passages[hit].text for hit in hits)
            for n in asked
            if (hits := index.search(probes[n].question, count=settings.retrieved_passages))
        },
        num_passages=len(index.passages),
        limit=settings.retrieved_passages,
    )
    log(
        f"compare: {len(asked)} of {len(candidates)} library questions are also asked with "
        f"passages: up to {found.limit} of the library's {found.num_passages} by BM25, and the "
        f"right one of {len(found.right)}"
    )
    return found


def _passages(config: RunConfig, *, log: LogFn) -> list[LibraryPassage]:
    try:
        passages = library_passages(config)
    except (FtdistError, OSError) as error:
        log(f"compare: no passages are retrieved: {str(error).splitlines()[0]}")
        return []
    if passages is None:
        log("compare: no passages are retrieved: the library is too large to be searched")
    return passages or []


def _right_passage(probe: Probe, index: PassageIndex) -> str:
    """The passage with the probe's evidence, or its evidence, or the passage with its keys."""
    lines = [line for line in probe.evidence.splitlines() if line.strip()]
    wanted = [*lines, *(probe.keys if probe.kind == "fact" else ())] if lines else probe.keys
    if not lines and probe.kind != "fact":
        return ""
    found = index.best_with(wanted, question=probe.question, document=probe.document)
    return found.text if found is not None else probe.evidence
