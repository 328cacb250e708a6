"""Questions and paraphrases that a language model writes for one shard, checked and cached.

CACHE/generated/KEY.json  {"questions": {PASSAGE: [pair]}, "paraphrases": {QUESTION: [text]}}

Where the model refused prompts, KEY includes them, so that they are asked again.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

from ftdist.errors import DataError
from ftdist.io.hashing import fingerprint
from ftdist.io.jsonl import read_json_lines, write_whole
from ftdist.io.progress import LogFn, no_log
from ftdist.library.retention.response_cache import (
    PROMPTS_PER_BATCH,
    AnswerFn,
    answer_with_cache,
)
from ftdist.library.schema import Block, Document, Sample
from ftdist.library.stats import CurationStats
from ftdist.library.synthesis.llm_outputs import (
    paraphrase_prompt,
    parse_candidates,
    parse_paraphrases,
    question_prompt,
    rejection_reason,
)
from ftdist.library.synthesis.qa_pair import QAPair

FORMAT = 3
"""Raised whenever the same answers would be used in another way."""


class Generator:
    """A language model that writes questions and paraphrases, with its answers cached.

    Args:
        ask: gives its answers.
        key: fingerprint of the model and its settings.
        cache: JSON lines of its answers.
        questions: per passage.
        paraphrases: per question.
        log: receives its progress.
    """

    def __init__(
        self,
        ask: AnswerFn,
        *,
        key: str,
        cache: Path,
        questions: int,
        paraphrases: int,
        log: LogFn = no_log,
    ) -> None:
        self.key, self.questions, self.paraphrases = key, questions, paraphrases
        self.refused: dict[str, DataError] = {}
        self._ask, self._cache, self._log = ask, cache, log
        self._has_answered = any(row.get("answer") for row in read_json_lines(cache))

    def answer(self, prompts: Sequence[str]) -> dict[str, str]:
        """Its answers to prompts, from the cache where they are there; empty ones are left out.

        Raises:
            DataError: it refuses every prompt.
        """
        answers = answer_with_cache(prompts, ask=self._ask_batch, cache=self._cache, log=self._log)
        return dict(answers)

    def check_answers(self) -> None:
        """Raise the first refusal if the model never gave an answer."""
        if self.refused and not self._has_answered:
            raise next(iter(self.refused.values()))

    def _ask_batch(self, prompts: Sequence[str]) -> Iterator[str | DataError]:
        for prompt, answer in zip(prompts, self._ask(prompts), strict=True):
            if isinstance(answer, DataError):
                self.refused[prompt] = answer
            else:
                self.refused.pop(prompt, None)
                self._has_answered = self._has_answered or bool(answer.strip())
            yield answer
        if len(self.refused) >= PROMPTS_PER_BATCH:
            self.check_answers()


@dataclass(kw_only=True)
class GeneratedQA:
    """What a language model wrote for one shard and passed the checks."""

    questions: dict[str, list[QAPair]] = field(default_factory=dict)
    """By the passage's text."""

    paraphrases: dict[str, list[str]] = field(default_factory=dict)
    """By the question."""

    stats: CurationStats = field(default_factory=CurationStats)
    refused: list[str] = field(default_factory=list)
    """Prompts that the model refused."""

    @classmethod
    def load(cls, path: Path | None) -> Self:
        """Read what `save` wrote; None: nothing was written."""
        if path is None:
            return cls()
        values = json.loads(path.read_text(encoding="utf-8"))
        return cls(
            questions={
                passage: [QAPair(**pair) for pair in pairs]
                for passage, pairs in values["questions"].items()
            },
            paraphrases=values["paraphrases"],
            stats=CurationStats.from_values(values["stats"]),
        )

    def save(self, path: Path) -> None:
        """Write as JSON, whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(asdict(self), ensure_ascii=False))


@dataclass(frozen=True, kw_only=True)
class GenerationInput:
    """The part of one row that a language model writes about."""

    document: Document | None
    passages: Sequence[Sample]
    questions: Sequence[str]


def generate_qa(
    inputs: Callable[[], Iterable[GenerationInput]], *, key: str, generator: Generator, cache: Path
) -> Path:
    """Have questions and paraphrases written for one shard unless they are in the cache.

    Args:
        inputs: gives the shard's rows; called only if needed, and more than once.
        key: fingerprint of those rows.
        generator: the language model.
        cache: of the curation.

    Returns:
        the file of what was written (`GeneratedQA`).

    Raises:
        DataError: the model refuses every prompt.
    """
    parts = [FORMAT, key, generator.key, generator.questions, generator.paraphrases]
    path = _cache_file(cache, parts)
    if path.is_file():
        return path
    result = GeneratedQA()
    if generator.questions:
        _add_questions(result, inputs(), generator=generator)
    if generator.paraphrases:
        known = [question for item in inputs() for question in item.questions]
        new = [pair.question for pairs in result.questions.values() for pair in pairs]
        _add_paraphrases(result, [*known, *new], generator=generator)
    if result.refused:
        path = _cache_file(cache, [*parts, result.refused])
    result.save(path)
    return path


def _cache_file(cache: Path, parts: Sequence[object]) -> Path:
    return cache / "generated" / f"{fingerprint(*parts)}.json"


def _add_questions(
    result: GeneratedQA, inputs: Iterable[GenerationInput], *, generator: Generator
) -> None:
    given = [(item.document, passage) for item in inputs for passage in item.passages]
    prompts = [question_prompt(passage, count=generator.questions) for _, passage in given]
    answers = generator.answer(prompts)
    for (document, passage), prompt in zip(given, prompts, strict=True):
        _record_refusal(
            result, generator.refused, prompt, location=passage.location, what="question"
        )
        pairs: dict[str, QAPair] = {}
        for candidate in parse_candidates(answers.get(prompt, "")):
            reason = rejection_reason(candidate, passage)
            if reason:
                result.stats.record(
                    f"written question refused: it {_rule(reason)}",
                    location=passage.location,
                    excerpt=f"{candidate.question} {candidate.answer} ({reason})",
                )
            elif len(pairs) < generator.questions:
                pair = QAPair(
                    question=candidate.question,
                    answer=candidate.answer,
                    made_by="written",
                    section=passage.section,
                    page=_page_of(candidate.quote, document),
                )
                pairs.setdefault(pair.question.casefold(), pair)
        if pairs:
            result.questions[passage.text] = list(pairs.values())


def _add_paraphrases(
    result: GeneratedQA, questions: Sequence[str], *, generator: Generator
) -> None:
    prompts = [paraphrase_prompt(question, count=generator.paraphrases) for question in questions]
    answers = generator.answer(prompts)
    for question, prompt in zip(questions, prompts, strict=True):
        _record_refusal(result, generator.refused, prompt, location=question, what="wording")
        accepted, rejected = parse_paraphrases(
            answers.get(prompt, ""), question=question, count=generator.paraphrases
        )
        if accepted:
            result.paraphrases[question] = accepted
        for text in rejected:
            result.stats.record(
                "written wording refused: it asks something else", location=question, excerpt=text
            )


def _record_refusal(
    result: GeneratedQA, refused: dict[str, DataError], prompt: str, *, location: str, what: str
) -> None:
    """Count a prompt if the model refused it."""
    if error := refused.get(prompt):
        result.refused.append(prompt)
        result.stats.record(
            f"no {what} written: the model refuses to be asked",
            location=location,
            excerpt=error.problem,
        )


def _rule(reason: str) -> str:
    """A reason without the words that it quotes, so that equal reasons are counted together."""
    return "says what the text does not" if reason.startswith("says ") else reason


def _page_of(quote: str, document: Document | None) -> int | None:
    """The page on which a quotation begins, where the document has pages."""
    if document is None:
        return None
    words = quote.casefold().split()

    def shared_words(block: Block) -> int:
        text = " ".join(block.text.casefold().split())
        sizes = range(len(words), 0, -1)
        return next((size for size in sizes if " ".join(words[:size]) in text), 0)

    paged = [block for block in document.blocks if block.page is not None]
    return max(paged, key=shared_words).page if paged else None
