"""Samples that retain general knowledge and scope: replay, out of scope, counterfactuals."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import islice
from math import ceil
from pathlib import Path
from zlib import crc32

from ftdist.config.schema.curate import RetentionConfig
from ftdist.data.messages import Message
from ftdist.io.progress import LogFn, no_log
from ftdist.library.retention.counterfactuals import counterfactuals
from ftdist.library.retention.out_of_scope import (
    OutOfScopeQuestion,
    out_of_scope_probes,
    out_of_scope_questions,
)
from ftdist.library.retention.product_names import find_products
from ftdist.library.retention.response_cache import (
    AnswerFn,
    answer_with_cache,
    is_repetitive,
    whole_sentences,
)
from ftdist.library.schema import MadeBy, Sample
from ftdist.library.store.samples import read_samples
from ftdist.library.synthesis.keyword_queries import keywords

_MAX_QUESTIONS = 20_000
"""Questions of the library that are searched for its products' names."""

_CHARACTERS_PER_TOKEN = 4
"""Of English text, about."""

_MIN_LONG = 3
"""Least length of a long answer, in short ones."""

_CANDIDATES = 5
"""Candidates for one out-of-scope probe: some share words with training."""

_QUERY_EVERY, _MIN_KEYWORDS = 6, 2
"""Every which general prompt is a keyword query, and the fewest words of one."""

Pair = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class RetentionSet:
    """Samples answered by the base model, and questions that training never contains."""

    replay: tuple[Sample, ...]
    out_of_scope: tuple[Sample, ...]
    counterfactual: tuple[Sample, ...]
    """The library's own answers, to questions about other products."""

    candidates: tuple[OutOfScopeQuestion, ...]
    """Candidates for out-of-scope probes."""

    products: tuple[str, ...]
    """The library's products, from which out-of-scope questions stay away."""

    is_named: bool
    """Whether `retention.product_names` names them; otherwise they are guessed."""


@dataclass(frozen=True, kw_only=True)
class CachedPrompter:
    """A way of prompting the base model, with its answers cached on disk."""

    ask: AnswerFn
    cache: Path
    log: LogFn = no_log

    def __call__(self, prompts: Sequence[str]) -> list[Pair]:
        """Prompts with their answers; empty and repetitive answers are left out."""
        pairs = answer_with_cache(prompts, ask=self.ask, cache=self.cache, log=self.log)
        return [pair for pair in pairs if not is_repetitive(pair[1])]


@dataclass(frozen=True, kw_only=True)
class BasePrompters:
    """The ways in which a curation prompts the base model."""

    answers: Callable[[int], CachedPrompter]
    """Answers to prompts, by their most tokens."""

    texts: CachedPrompter
    """Texts that continue numbered openings, such as "0 The"."""

    def answer(
        self, prompts: Sequence[str], *, short: int, long: int, long_fraction: float
    ) -> list[Pair]:
        """Prompts with their answers, in the order of the prompts.

        Args:
            prompts: to answer.
            short: most tokens of most answers.
            long: most tokens of the other ones.
            long_fraction: share of those.
        """
        limit = long_fraction * 2**32
        may_be_long = {prompt for prompt in prompts if crc32(prompt.encode()) < limit}
        pairs = dict(self.answers(long)([text for text in prompts if text in may_be_long]))
        pairs |= dict(self.answers(short)([text for text in prompts if text not in may_be_long]))
        return [(prompt, pairs[prompt]) for prompt in prompts if prompt in pairs]


def build_retention_set(
    trained: Sequence[Path],
    *,
    settings: RetentionConfig,
    forms: int,
    probes: int,
    seed: int,
    base: BasePrompters | None,
) -> RetentionSet:
    """Make replay and out-of-scope samples, and candidates for out-of-scope probes.

    Args:
        trained: files of the library's samples.
        settings: how many of each.
        forms: wordings in which a question of the library is trained.
        probes: out-of-scope probes that are wanted.
        seed: of the choice of products.
        base: the base model; None: nothing is asked of it.
    """
    wants_library = settings.num_out_of_scope_answers or settings.num_counterfactuals or probes
    library = list(_questions(trained).values()) if wants_library else []
    products = tuple(settings.product_names or find_products(library))
    replay, out_of_scope = list[Sample](), list[Sample]()
    if base is not None:
        others = out_of_scope_questions(
            library,
            products=products,
            count=settings.num_out_of_scope_answers,
            forms=forms,
            seed=seed,
        )
        replay, out_of_scope = _base_samples(base, others, _answer_sizes(trained), settings)
    candidates = out_of_scope_probes(library, products=products, seed=seed)
    contrary = counterfactuals(
        _questions(trained, single_turn=True) if settings.num_counterfactuals else {},
        products=products,
        count=settings.num_counterfactuals,
        max_characters=_MIN_LONG * settings.max_answer_tokens * _CHARACTERS_PER_TOKEN,
        seed=seed,
    )
    return RetentionSet(
        replay=tuple(replay),
        out_of_scope=tuple(out_of_scope),
        counterfactual=tuple(_sample(pair, made_by="counterfactual") for pair in contrary),
        candidates=tuple(islice(candidates, probes * _CANDIDATES)),
        products=products,
        is_named=bool(settings.product_names),
    )


def _base_samples(
    base: BasePrompters, others: Sequence[str], sizes: Sequence[int], settings: RetentionConfig
) -> tuple[list[Sample], list[Sample]]:
    """Replay and out-of-scope samples.

    Args:
        base: the base model.
        others: out-of-scope questions.
        sizes: tokens of the library's own answers.
        settings: how many of each, and their lengths.
    """
    short, fraction = settings.max_answer_tokens, settings.long_answer_fraction
    long = max(short, min(settings.max_long_answer_tokens, max([_MIN_LONG * short, *sizes])))
    of_library = min(fraction, sum(size > short for size in sizes) / max(1, len(sizes)))
    general = general_prompts()[: settings.num_replay_answers]
    answers = base.answer(general, short=short, long=long, long_fraction=of_library)
    replay = [_sample(pair, made_by="replay") for pair in answers]
    replay += [_text(pair) for pair in base.texts(openings(settings.num_replay_texts))]
    # A model that was only shown how such an answer begins continues it from the library.
    answers = base.answer(others, short=short, long=long, long_fraction=fraction)
    return replay, [_sample(pair, made_by="out_of_scope") for pair in answers]


def general_prompts() -> list[str]:
    """Prompts of general chat that ftdist brings, evenly mixed: the first n are of all kinds.

    Every sixth is a query of its keywords: without them, only the library has such queries.
    """
    return [
        _query(prompt) if number % _QUERY_EVERY == 0 else prompt
        for number, prompt in enumerate(_mixed("prompts.txt"))
    ]


def _query(prompt: str) -> str:
    """The keywords of a question; a prompt of several sentences or of one keyword unchanged."""
    words = keywords(prompt)
    is_question = prompt.endswith("?") and not re.search(r"[.!:?,] ", prompt)
    return " ".join(words) if is_question and len(words) >= _MIN_KEYWORDS else prompt


def openings(count: int) -> list[str]:
    """First words of texts, numbered: each once with 0, then each once with 1, and so on."""
    known = _mixed("openings.txt")
    return [f"{number // len(known)} {known[number % len(known)]}" for number in range(count)]


def _mixed(name: str) -> list[str]:
    """Lines of a file that ftdist brings, those beside each other in it far apart."""
    text = files("ftdist.library.retention").joinpath(name).read_text(encoding="utf-8")
    lines = text.splitlines()
    step = 89  # prime, and no divisor of their number: each is taken once
    return [lines[number * step % len(lines)] for number in range(len(lines))]


def _answer_sizes(trained: Sequence[Path]) -> list[int]:
    """Tokens of each different answer of the library, about."""
    answers = {
        sample.messages[-1]["content"]
        for path in trained
        for sample in islice(read_samples(path), _MAX_QUESTIONS)
        if sample.messages
    }
    return [ceil(len(answer) / _CHARACTERS_PER_TOKEN) for answer in answers]


def _questions(
    trained: Sequence[Path], *, single_turn: bool = False
) -> dict[tuple[str, str], list[str]]:
    """The first questions of the library, each with its paraphrases, by location and last answer.

    Args:
        trained: files of the library's samples.
        single_turn: only those that the last answer is to.
    """
    questions: dict[tuple[str, str], list[str]] = {}
    samples = (sample for path in trained for sample in read_samples(path) if sample.messages)
    for sample in islice(samples, _MAX_QUESTIONS):
        turns = [m["content"] for m in sample.messages if m["role"] == "user"]
        question, last = next(iter(turns), ""), sample.messages[-1]
        is_answered = len(turns) == 1 and last["role"] == "assistant" and last["content"]
        if question and (is_answered or not single_turn):
            key = sample.location, last["content"]
            questions.setdefault(key, []).append(question)
    return questions


def _sample(pair: Pair, *, made_by: MadeBy) -> Sample:
    question, answer = pair
    location = f"{made_by}: {question}"
    return Sample(
        messages=(
            Message(role="user", content=question),
            Message(role="assistant", content=answer),
        ),
        location=location,
        made_by=made_by,
        doc_id=location,
    )


def _text(pair: Pair) -> Sample:
    opening, text = pair
    location = f"replay: {opening}"
    return Sample(text=whole_sentences(text), location=location, made_by="replay", doc_id=location)
