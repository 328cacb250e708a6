"""Questions of an evaluation that are also asked with passages of the library in the prompt.

base_passage     the base with the right passage
base_retrieved   the base with the passages that BM25 finds
tuned_passage    the tuned model with the right passage

The right passage is the one that holds the probe's evidence, or else one that the question finds
and that states all its keys. A question without one is asked with no passage at all, so that every
column is of the same questions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ftdist.config.schema import EvalConfig, RunConfig
from ftdist.errors import FtdistError
from ftdist.evaluation.eval_requests import PassagePrompt
from ftdist.evaluation.library_passages import LibraryPassage, library_passages
from ftdist.evaluation.probes import Probe
from ftdist.evaluation.retrieval import PassageIndex, contains_lines, states_keys
from ftdist.evaluation.scoring.confidence import Rate
from ftdist.io.progress import LogFn
from ftdist.io.sampling import evenly_spaced
from ftdist.text.matching import words

KINDS = ("fact", "unanswerable")
"""Kinds of probes that are asked with passages."""

COLUMNS = {"base": ("base_passage", "base_retrieved"), "tuned": ("tuned_passage",)}
"""By model what it is asked with passages, as `scores.json` names it."""

_LOOKED_AT = 20
"""Passages that a question finds, among which the right one is sought."""

_MIN_SHARE = 0.5
"""Of the best passage's score that the right one has, without evidence, to be about the question.
"""

_TELLS_NOTHING = frozenset(("yes", "no", "not", "none", "true", "false"))
"""Keys that stand in passages about anything."""


@dataclass(frozen=True, kw_only=True)
class PassageQuestions:
    """The probes to ask with passages, and their passages.

    Attributes:
        num_candidates: how many probes of the set could be asked so.
        num_without: how many of those sought have no right passage, and are not asked.
        right: by index of those asked, the right passage.
        retrieved: by index the passages found, the best first; empty if none can be searched.
        num_passages: of the library.
        limit: passages to retrieve per question.
    """

    num_candidates: int
    num_without: int
    right: Mapping[int, str]
    retrieved: Mapping[int, tuple[str, ...]]
    num_passages: int
    limit: int

    @property
    def indices(self) -> tuple[int, ...]:
        """Indices of the probes."""
        return tuple(self.right)

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
                states_keys(self.retrieved[index], probes[index].keys, known=probes[index].answer)
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
    sought = evenly_spaced(candidates, settings.max_passage_questions)
    if not sought:
        return None
    log(f"compare: seeking the passages of {len(sought)} questions in the library")
    index = PassageIndex(_passages(config, log=log))
    right = {n: text for n in sought if (text := _right_passage(probes[n], index))}
    retrieved = {
        n: tuple(
            index.passages[hit].text
            for hit in index.search(probes[n].question, count=settings.retrieved_passages)
        )
        for n in (right if index.passages else ())
    }
    if not right:
        log(
            f"compare: none of {len(sought)} questions is asked with passages: none has a right one"
        )
        return None
    log(
        f"compare: {len(right)} of {len(candidates)} library questions are also asked with "
        f"passages (eval.max_passage_questions={settings.max_passage_questions}): the right one, "
        f"and up to {settings.retrieved_passages} of the library's {len(index.passages)} by BM25; "
        f"{len(sought) - len(right)} have no right one and are left out"
    )
    return PassageQuestions(
        num_candidates=len(candidates),
        num_without=len(sought) - len(right),
        right=right,
        retrieved=retrieved,
        num_passages=len(index.passages),
        limit=settings.retrieved_passages,
    )


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
    """The passage with the probe's evidence, or its evidence, or a passage that states its keys.

    Empty if none of these surely holds the answer.
    """
    keys = probe.keys if probe.kind == "fact" else ()
    lines = [line for line in probe.evidence.splitlines() if line.strip()]
    if not lines and not any(map(_is_telling, keys)):
        return ""
    sought = "\n".join((probe.question, *lines))
    for document in dict.fromkeys((probe.document, "")):
        found = index.ranked(sought, count=_LOOKED_AT, document=document)
        for hit, score in found:
            text = index.passages[hit].text
            is_about = bool(lines) or score >= _MIN_SHARE * found[0][1]
            has_lines = contains_lines(text, lines)
            if is_about and has_lines and states_keys([text], keys, known=probe.answer):
                return text
    is_enough = bool(lines) and states_keys([probe.evidence], keys, known=probe.answer)
    return probe.evidence if is_enough else ""


def _is_telling(key: str) -> bool:
    """Whether a key says something on its own: "139", and neither "4" nor "yes"."""
    return len("".join(words(key))) > 1 and key.casefold().strip(". ") not in _TELLS_NOTHING
