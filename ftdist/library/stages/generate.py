"""Questions that a language model writes about the facts of one shard, checked and cached.

CACHE/generated/KEY.json  {"questions": {FACT: [question]}, "stats": ...}

Where the model refused prompts, KEY includes them, so that they are asked again.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
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
from ftdist.library.stats import CurationStats
from ftdist.library.synthesis.facts_to_ask import fact_key
from ftdist.library.synthesis.llm_outputs import (
    parse_questions,
    questions_prompt,
    rejection_reason,
)
from ftdist.library.synthesis.qa_pair import QAPair

FORMAT = 5
"""Raised whenever the same answers would be used in another way."""

_TOKENS_PER_QUESTION = 24
"""Of a reply, about."""


class Generator:
    """A language model that writes questions, with its answers cached.

    Args:
        ask: gives its answers.
        key: fingerprint of the model and its settings.
        cache: JSON lines of its answers.
        questions: per fact.
        max_tokens: of an answer.
        log: receives its progress.
    """

    def __init__(
        self,
        ask: AnswerFn,
        *,
        key: str,
        cache: Path,
        questions: int,
        max_tokens: int,
        log: LogFn = no_log,
    ) -> None:
        self.key, self.questions = key, questions
        self.facts_per_prompt = max(1, max_tokens // (questions * _TOKENS_PER_QUESTION))
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
    """The questions that a language model wrote for one shard and that passed the checks."""

    questions: dict[str, list[str]] = field(default_factory=dict)
    """By the key of their fact (`fact_key`)."""

    stats: CurationStats = field(default_factory=CurationStats)
    refused: list[str] = field(default_factory=list)
    """Prompts that the model refused."""

    @classmethod
    def load(cls, path: Path | None) -> Self:
        """Read what `save` wrote; None: nothing was written."""
        if path is None:
            return cls()
        values = json.loads(path.read_text(encoding="utf-8"))
        return cls(questions=values["questions"], stats=CurationStats.from_values(values["stats"]))

    def save(self, path: Path) -> None:
        """Write as JSON, whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(asdict(self), ensure_ascii=False))


@dataclass(frozen=True, kw_only=True)
class GenerationInput:
    """Facts of one text, about which a language model writes.

    Attributes:
        text: that it reads; "": the facts say all.
        location: of the text, as errors name it.
        facts: with the question by rule, if there is one.
    """

    text: str
    location: str
    facts: Sequence[QAPair]


def generate_qa(
    inputs: Callable[[], Iterable[GenerationInput]], *, key: str, generator: Generator, cache: Path
) -> Path:
    """Have questions written for one shard unless they are in the cache.

    Args:
        inputs: gives the shard's facts; called only if needed.
        key: fingerprint of those facts.
        generator: the language model.
        cache: of the curation.

    Returns:
        the file of what was written (`GeneratedQA`).

    Raises:
        DataError: the model refuses every prompt.
    """
    parts = [FORMAT, key, generator.key, generator.questions]
    path = _cache_file(cache, parts)
    if path.is_file():
        return path
    result = GeneratedQA()
    _add_questions(result, inputs(), generator=generator)
    if result.refused:
        path = _cache_file(cache, [*parts, result.refused])
    result.save(path)
    return path


def _cache_file(cache: Path, parts: Sequence[object]) -> Path:
    return cache / "generated" / f"{fingerprint(*parts)}.json"


def _add_questions(
    result: GeneratedQA, inputs: Iterable[GenerationInput], *, generator: Generator
) -> None:
    size = generator.facts_per_prompt
    given = [
        replace(item, facts=item.facts[first : first + size])
        for item in inputs
        for first in range(0, len(item.facts), size)
    ]
    prompts = [
        questions_prompt(item.facts, text=item.text, count=generator.questions) for item in given
    ]
    answers = generator.answer(prompts)
    for item, prompt in zip(given, prompts, strict=True):
        if error := generator.refused.get(prompt):
            result.refused.append(prompt)
            result.stats.record(
                "no question written: the model refuses to be asked",
                location=item.location,
                excerpt=error.problem,
            )
        _add_reply(result, item, answers.get(prompt, ""), count=generator.questions)


def _add_reply(result: GeneratedQA, item: GenerationInput, reply: str, *, count: int) -> None:
    """Add the questions of one reply that pass the checks.

    A model that writes less than half of what it is asked for is too small for the task, and
    loses the numbers of the facts: it asks for the weight in the line of the price.
    """
    written = parse_questions(reply, facts=len(item.facts))
    times = Counter(text.casefold() for texts in written.values() for text in texts)
    for place, texts in written.items():
        fact = item.facts[place]
        accepted = result.questions.setdefault(fact_key(fact, location=item.location), [])
        for text in texts:
            reason = rejection_reason(text, fact, text=item.text)
            if times[text.casefold()] > 1:
                reason = reason or "is written for several facts"
            if 2 * len(texts) < count:
                reason = "is one of too few for its fact"
            if reason:
                result.stats.record(
                    f"written question refused: it {_rule(reason)}",
                    location=item.location,
                    excerpt=f"{text} ({reason}) {fact.answer}",
                )
            elif len(accepted) < count and text != fact.question:
                accepted.append(text)


def _rule(reason: str) -> str:
    """A reason without the words that it quotes, so that equal reasons are counted together."""
    if reason.startswith("says "):
        return "says what the text does not"
    return "leaves out a name or number" if reason.startswith("leaves out ") else reason
